"""Helpers of the SQL core's tests."""

from core_sql_support.engine import Engine, Refusal, Task, mapping, step
from core_sql_support.history import fill, keep_unanalyzed
from core_sql_support.invariants import broken_rules
from core_sql_support.jsonb import NULL
from core_sql_support.sessions import Session, in_turn, is_blocked, sessions
from core_sql_support.work import Work, counted, explained

__all__ = [
    "NULL",
    "Engine",
    "Refusal",
    "Session",
    "Task",
    "Work",
    "broken_rules",
    "counted",
    "explained",
    "fill",
    "in_turn",
    "is_blocked",
    "keep_unanalyzed",
    "mapping",
    "sessions",
    "step",
]
