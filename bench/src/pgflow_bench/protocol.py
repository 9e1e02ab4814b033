"""What the bench and a system that it measures say to each other, over standard input and output.

A system is a program `adapter.py WORKLOAD URL COUNT`, in an environment of its own, so this file
needs the standard library alone. It prepares, says "ready", waits for a line, does the measured
part, and prints one line of JSON.
"""

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any

Workload = Callable[[str, int], Generator[None, None, dict[str, Any]]]
"""Prepares, yields once, does the measured part, and returns its figures:
{"seconds": float, "units": int} for a rate, {"latencies_ms": [float, ...]} for latencies."""


def main(workloads: Mapping[str, Workload]) -> None:
    """Run the workload that the command line names."""
    name, url, count = sys.argv[1:4]
    # What a library prints is not part of the conversation.
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    steps = workloads[name](url, int(count))
    next(steps)
    print("ready", file=said, flush=True)
    sys.stdin.readline()
    before = _cpu_seconds()
    try:
        next(steps)
    except StopIteration as stop:
        figures = stop.value
    figures["client_cpu_seconds"] = _cpu_seconds() - before
    figures["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures), file=said, flush=True)
    # Threads and pools that a library keeps are no reason to stay.
    with contextlib.suppress(OSError):
        said.close()
    os._exit(0)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
