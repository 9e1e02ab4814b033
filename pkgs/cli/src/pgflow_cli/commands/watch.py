"""`pgflow watch`: the live view of one run."""

from pgflow_cli.commands.runs import watch

__all__ = ["watch"]
