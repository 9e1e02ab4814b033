"""What an examination has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Finding", "Severity", "bad", "good", "note", "warning"]

Severity: TypeAlias = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        severity: "good"; "note" for what is worth knowing; "warning" for what may become a problem;
            "bad" for what is one.
        says: What was found.
        advice: What to do about it; None where there is nothing to do.
    """

    subject: str
    severity: Severity
    says: str
    advice: str | None = None


def good(subject: str, says: str) -> Finding:
    """Return that all is well."""
    return Finding(subject=subject, severity="good", says=says)


def note(subject: str, says: str, advice: str | None = None) -> Finding:
    """Return what is worth knowing."""
    return Finding(subject=subject, severity="note", says=says, advice=advice)


def warning(subject: str, says: str, advice: str) -> Finding:
    """Return what may become a problem."""
    return Finding(subject=subject, severity="warning", says=says, advice=advice)


def bad(subject: str, says: str, advice: str) -> Finding:
    """Return what is a problem."""
    return Finding(subject=subject, severity="bad", says=says, advice=advice)
