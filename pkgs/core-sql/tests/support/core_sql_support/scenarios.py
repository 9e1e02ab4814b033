"""Random flows and random scenarios of their runs, for hypothesis to draw and to shrink.

What an operation works on is drawn as plain numbers, which stand for the run, step or attempt at
that place (modulo their count) when the operation comes to be played.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from core_sql_support.jsonb import NULL
from core_sql_support.records import Step

FAR: Final = 3600
"""A delay in seconds that no test waits for."""

_VALUES: Final = (1, 0, None, NULL, False, True, "", "text", {}, {"n": 1}, [], [1], [None, [1]])
_MODES: Final = ("fail", "skip", "skip-cascade")


class Pick(NamedTuple):
    """A report about one of the attempts that were ever given out."""

    attempt: int
    is_held: bool  # else it may be any old attempt
    is_named: bool  # else the report gives no attempt
    fails: bool
    output: Any
    fits: bool  # is an array where a map runs over it
    is_final: bool
    delay: int | None


class Scenario(NamedTuple):
    """Flows, and what happens to runs of them: names and arguments of methods of Replay."""

    flows: list[list[Step]]
    operations: list[tuple[Any, ...]]


def _rarely(
    strategy: st.SearchStrategy[Any], default: Any, one_in: int = 6
) -> st.SearchStrategy[Any]:
    """Draw from a strategy now and then, and mostly the default."""
    numbers = st.integers(1, one_in)
    return numbers.flatmap(lambda n: strategy if n == one_in else st.just(default))


def _weighted(*strategies: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Draw from one of several strategies, from each as often as its weight says."""
    drawn = [strategy for weight, strategy in strategies for _ in range(weight)]
    return st.integers(0, len(drawn) - 1).flatmap(lambda n: drawn[n])


_values = st.sampled_from(_VALUES)
_json_values = _values.filter(lambda value: value is not NULL)
_small = st.integers(0, 60)


def _conditions(waits_for: list[str]) -> st.SearchStrategy[dict[str, Any] | None]:
    if not waits_for:
        return _rarely(st.sampled_from([{}, {"n": 1}, {"n": 2}]), None)
    keys = st.sampled_from([*waits_for, *waits_for, "run"])
    parts = st.sampled_from([{}, {}, {}, {"n": 1}, [], [1], 1, None, "text"])
    return _rarely(st.dictionaries(keys, parts, max_size=2), None, one_in=4)


@st.composite
def _steps(draw: Callable[..., Any], slug: str, earlier: list[str]) -> Step:
    edges = st.lists(st.sampled_from(earlier), max_size=3, unique=True) if earlier else st.just([])
    waits_for = draw(edges)
    after = frozenset(dep for dep in waits_for if draw(_rarely(st.just(True), False)))
    deps = frozenset(waits_for) - after
    map_over = draw(_rarely(st.just("run"), None))
    if deps and map_over is None:
        map_over = draw(st.sampled_from([None, None, *sorted(deps)]))
    is_root_map = map_over is not None and not waits_for
    condition = st.none() if is_root_map else _conditions(waits_for)
    return Step(
        slug=slug,
        deps=deps,
        after=after,
        map_over=map_over,
        required=draw(condition),
        forbidden=draw(condition),
        when_unmet=draw(st.sampled_from(("skip", "skip", "skip-cascade", "fail"))),
        when_exhausted=draw(st.sampled_from(_MODES)),
        takes_flow_input=draw(_rarely(st.just(True), False)),
        max_attempts=draw(st.integers(0, 4)),
        base_delay=draw(_rarely(st.just(FAR), 0)),
        start_delay=draw(_rarely(st.just(FAR), 0)),
    )


@st.composite
def flows(draw: Callable[..., Any], max_steps: int) -> list[Step]:
    """Draw a DAG; the order of its slugs is not the order of its steps."""
    made: list[Step] = []
    for place in range(draw(st.integers(1, 6) | st.integers(1, max_steps))):
        made.append(draw(_steps(f"s{50 - place}", [step.slug for step in made])))
    return made


_batches = st.lists(
    st.builds(
        Pick,
        attempt=_small,
        is_held=_rarely(st.just(False), True),
        is_named=_rarely(st.just(False), True),
        fails=st.sampled_from([False, False, True]),
        output=_values,
        fits=_rarely(st.just(False), True),
        is_final=_rarely(st.just(True), False),
        delay=st.sampled_from([None, None, 0, FAR]),
    ),
    min_size=1,
    max_size=6,
)
_halves = st.lists(st.booleans(), min_size=1, max_size=5)
_workers = st.integers(0, 1)
_inputs = st.lists(_json_values, min_size=1, max_size=2)
_operations = _weighted(
    (5, st.tuples(st.just("claim"), st.integers(0, 9), _workers)),
    (5, st.tuples(st.just("report"), _batches, st.none() | _workers)),
    (2, st.tuples(st.just("report_held"), _halves, _values, st.booleans())),
    (2, st.tuples(st.just("report_held"), _halves, st.just([]), st.just(True))),
    (2, st.tuples(st.just("work"), st.integers(1, 3), _values)),
    (1, st.tuples(st.just("start"), st.integers(0, 1), _inputs)),
    (1, st.tuples(st.just("release"), _batches)),
    (1, st.tuples(st.just("lose"), _workers)),
    (1, st.tuples(st.just("cancel"), st.lists(_small, min_size=1, max_size=2))),
    (2, st.tuples(st.just("retry"), _small)),
    (1, st.tuples(st.just("restart"), _small, _small)),
    (1, st.tuples(st.just("come_due"))),
)


@st.composite
def scenarios(draw: Callable[..., Any], max_steps: int = 30, max_operations: int = 40) -> Scenario:
    """Draw one or two flows, a start of each, and what happens then."""
    drawn = [draw(flows(max_steps)) for _ in range(draw(st.integers(1, 2)))]
    starts = [("start", place, draw(_inputs)) for place in range(len(drawn))]
    count = draw(st.integers(1, max_operations))
    return Scenario(drawn, [*starts, *(draw(_operations) for _ in range(count))])
