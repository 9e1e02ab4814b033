"""The state machine as a picture, drawn from what the reference model does in a few scenarios."""

from collections.abc import Callable
from html import escape
from typing import Any

from core_sql_support.model import Run
from core_sql_support.records import Flow, Report, State, Step, Task

LAYERS = ("pgflow_cli", "pgflow_worker", "pgflow_client", "pgflow_dsl", "pgflow_core_sql")
ORDER = ["created", "queued", "started", "completed", "failed", "skipped", "cancelled"]
Edges = dict[tuple[str, str], str]


def observed() -> dict[str, Edges]:
    """Play scenarios, and note each change of a status, and in which of them it was first seen."""
    seen: dict[str, Edges] = {"Run": {}, "Step": {}, "Task": {}}
    kinds: list[tuple[str, type[Any]]] = [("Run", Run), ("Step", State), ("Task", Task)]
    for name, scenario in SCENARIOS.items():
        plain = {kind: kind.__setattr__ for _, kind in kinds}
        for title, kind in kinds:
            kind.__setattr__ = watching(seen[title], name, plain[kind])  # type: ignore[method-assign]
        try:
            scenario()
        finally:
            for kind, setter in plain.items():
                kind.__setattr__ = setter  # type: ignore[method-assign]
    return seen


def watching(edges: Edges, scenario: str, setter: Callable[..., None]) -> Callable[..., None]:
    """Return a setter that notes changes of a status."""

    def note(self: Any, name: str, value: Any) -> None:
        before = getattr(self, "status", None) if name == "status" else None
        if before is not None and before != value:
            edges.setdefault((before, value), scenario)
        setter(self, name, value)

    return note


def a_run(**options: Any) -> Run:
    """Start a run of a flow of two steps, of which the first has these options."""
    flow = Flow()
    flow.add_step(Step(slug="first", **options))
    flow.add_step(Step(slug="second", deps=frozenset({"first"})))
    return Run(flow, {})


def complete() -> None:
    """Complete both steps."""
    run = a_run()
    for slug in ("first", "second"):
        attempt, _, _ = run.claim(slug, 0, "worker")
        run.complete([Report(slug, 0, attempt, output={})])


def fail(**options: Any) -> Run:
    """Fail the first step for good."""
    run = a_run(max_attempts=1, **options)
    attempt, _, _ = run.claim("first", 0, "worker")
    run.fail([Report("first", 0, attempt, error="it broke")])
    return run


def repeat() -> None:
    """Fail an attempt that is tried again."""
    run = a_run()
    attempt, _, _ = run.claim("first", 0, "worker")
    run.fail([Report("first", 0, attempt, error="it broke")])


def hand_back() -> None:
    """Hand a task back."""
    run = a_run()
    attempt, _, _ = run.claim("first", 0, "worker")
    run.release([Report("first", 0, attempt)])


def map_nothing() -> None:
    """Map over an empty array."""
    flow = Flow()
    flow.add_step(Step(slug="each", map_over="run"))
    Run(flow, [])


def cancel() -> None:
    """Cancel a run, of which a task is queued."""
    a_run().cancel("no use")


def restart() -> None:
    """Repeat a run that is completed, from its first step."""
    run = a_run()
    for slug in ("first", "second"):
        attempt, _, _ = run.claim(slug, 0, "worker")
        run.complete([Report(slug, 0, attempt, output={})])
    run.restart("first")


def retry_cancelled() -> None:
    """Go on with a run that was cancelled."""
    run = a_run()
    run.cancel("no use")
    run.retry()


def skip_claimed() -> None:
    """Skip a map of which one element fails for good, and another is queued or under way."""
    flow = Flow()
    flow.add_step(Step(slug="each", map_over="run", max_attempts=1, when_exhausted="skip"))
    run = Run(flow, [1, 2, 3])
    attempt, _, _ = run.claim("each", 0, "worker")
    run.claim("each", 1, "worker")
    run.fail([Report("each", 0, attempt, error="it broke")])


def cancel_claimed() -> None:
    """Cancel a run, of which a task is under way."""
    run = a_run()
    run.claim("first", 0, "worker")
    run.cancel("no use")


SCENARIOS: dict[str, Callable[[], Any]] = {
    "done": complete,
    "tried again": repeat,
    "handed back": hand_back,
    "exhausted": fail,
    "skipped when exhausted": lambda: fail(when_exhausted="skip"),
    "condition not met": lambda: a_run(required={"a": 1}),
    "condition fails": lambda: a_run(required={"a": 1}, when_unmet="fail"),
    "empty map": map_nothing,
    "cancelled": cancel,
    "cancelled meanwhile": cancel_claimed,
    "skipped meanwhile": skip_claimed,
    "retried by hand": lambda: fail().retry(),
    "retried by hand, after a cancel": retry_cancelled,
    "restarted by hand": restart,
}


def pages() -> dict[str, str]:
    """Return the picture, and the same as tables to be included."""
    seen = observed()
    out = ["# Every change of status", "Seen while the reference model played its scenarios.", ""]
    for title, edges in seen.items():
        out += [f"## {title}", "", "| from | to | for example |", "| --- | --- | --- |"]
        lives = sorted(edges.items(), key=place)
        out += [f"| `{old}` | `{new}` | {why} |" for (old, new), why in lives]
        out += [""]
    return {"states.svg": draw(seen), "transitions.md": "\n".join(out), "layers.svg": layers()}


def place(edge: tuple[tuple[str, str], str]) -> tuple[int, int]:
    """Order edges as a life goes."""
    (old, new), _ = edge
    return ORDER.index(old), ORDER.index(new)


def draw(seen: dict[str, Edges]) -> str:
    """Draw a row of boxes for each kind, and the changes between them as curves above and below."""
    wide, high, row = 104, 34, 190
    out = [svg(len(ORDER) * 130 + 20, row * len(seen) + 24)]
    for level, (title, edges) in enumerate(seen.items()):
        names = [name for name in ORDER if any(name in pair for pair in edges)]
        middle = level * row + 105
        at = {name: 70 + index * 140 for index, name in enumerate(names)}
        out.append(text(12, level * row + 16, title, anchor="start", weight="bold"))
        for (old, new), _ in sorted(edges.items(), key=place):
            out.append(curve(at[old], at[new], middle, high))
        for name, x in at.items():
            fill = "#e8f0fd" if name in ("created", "queued", "started") else "#eef1f4"
            out.append(box(x - wide / 2, middle - high / 2, wide, high, fill))
            out.append(text(x, middle + 5, name, colour="#1a2230"))
    return "\n".join([*out, "</svg>"])


def curve(start: float, end: float, middle: float, high: float) -> str:
    """Draw an arrow over the boxes, or below them where it leads back."""
    side = -1 if end > start else 1
    lift = side * (high / 2 + 16 + abs(end - start) / 9)
    edge = middle + side * high / 2
    a, b = (start + 10 * -side, end - 10 * -side)
    return (
        f'<path d="M{a} {edge} C{a} {middle + lift} {b} {middle + lift} {b} {edge}" fill="none" '
        'stroke="#7b8698" stroke-width="1.4" marker-end="url(#arrow)"/>'
    )


def layers() -> str:
    """Draw the packages, each on those that it may import."""
    say = (
        "the command, the embedded PostgreSQL",
        "claims tasks, runs handlers, reports",
        "starts, watches and steers runs",
        "defines flows",
        "the state machine, in SQL",
    )
    out = [svg(640, 54 * len(LAYERS) + 10)]
    for level, (name, words) in enumerate(zip(LAYERS, say, strict=True)):
        top = 8 + 54 * level
        fill = "#e8f0fd" if level < 4 else "#dbe9d8"
        out.append(box(8, top, 624, 44, fill))
        out.append(text(24, top + 27, name, anchor="start", weight="bold", colour="#1a2230"))
        out.append(text(220, top + 27, words, anchor="start", colour="#1a2230"))
    return "\n".join([*out, "</svg>"])


def svg(width: float, height: float) -> str:
    """Begin a picture; boxes bring their ground, so it reads on light and dark."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14"><defs><marker id="arrow" '
        'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#7b8698"/></marker></defs>'
    )


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    """Draw a box."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" '
        'stroke="#7b8698"/>'
    )


def text(
    x: float,
    y: float,
    words: str,
    anchor: str = "middle",
    weight: str = "normal",
    colour: str = "#7b8698",
) -> str:
    """Write words."""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">'
        f"{escape(words)}</text>"
    )
