"""What is wrong with a database, or may become so, and what to do about it."""

from pgflow_cli.doctor.examine import examine
from pgflow_cli.doctor.finding import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]
