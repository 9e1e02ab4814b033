"""Helpers of the SQL core's tests."""

from core_sql_support.engine import NULL, Engine, Refusal, Task, mapping, step
from core_sql_support.invariants import broken_rules
from core_sql_support.sessions import Session, is_blocked, sessions

__all__ = [
    "NULL",
    "Engine",
    "Refusal",
    "Session",
    "Task",
    "broken_rules",
    "is_blocked",
    "mapping",
    "sessions",
    "step",
]
