"""Steps: how functions become nodes, and which functions and wirings are refused."""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from pgflow_dsl import Context, DefinitionError, Flow, Step

T = TypeVar("T")


@pytest.fixture
def flow() -> Flow[int]:
    """A flow of one step."""
    flow = Flow("f", input=int)

    @flow.step
    def one(n: int = flow.input) -> int:
        """Give the number back."""
        return n

    return flow


def untyped(flow: Flow[int]) -> Any:
    """Return the flow for what type checkers would refuse already."""
    return flow


def line_of(fn: Callable[..., Any]) -> str:
    """Return the file and line as errors name them."""
    return f"{__file__}:{fn.__code__.co_firstlineno}"


def test_a_transactional_step_has_a_context_to_take_its_connection_from(flow: Flow[int]) -> None:
    @flow.step(transactional=True)
    def pay(ctx: Context, amount: int = flow.input) -> int:
        return amount

    @flow.step
    def plain(amount: int = flow.input) -> int:
        return amount

    assert pay.is_transactional
    assert not plain.is_transactional
    with refused("transactional=True is for what is written with ctx.connection; give it"):
        flow.step(transactional=True, slug="without").add(plain, flow.input)
    for executor in ("process", ThreadPoolExecutor(1)):
        with refused("transactional=True is for handlers on the event loop and in threads"):
            flow.step(transactional=True, executor=executor, slug="far").add(
                pay, flow.context, flow.input
            )
    flow.step(transactional=True, executor="thread", slug="near").add(pay, flow.context, flow.input)
    vague: Any = "yes"
    with refused("transactional takes True or False, not 'yes'"):
        flow.step(transactional=vague, slug="vague").add(pay, flow.context, flow.input)


def test_a_step_looks_like_its_function(flow: Flow[int]) -> None:
    one: Any = flow.get_step("one")
    assert one.__name__ == "one"
    assert one.__doc__ == "Give the number back."
    assert list(inspect.signature(one).parameters) == ["n"]
    assert repr(one) == "<single step 'one' of flow 'f'>"
    assert one(5) == 5


def test_options_are_kept_and_the_rest_inherited(flow: Flow[int]) -> None:
    pool = ThreadPoolExecutor(1)

    @flow.step(
        slug="two", max_attempts=7, start_delay=timedelta(minutes=1), jitter=0.5, executor=pool
    )
    def other(n: int = flow.input) -> int:
        return n

    assert other.slug == "two"
    assert other.options.max_attempts == 7
    assert other.options.start_delay == timedelta(minutes=1)
    assert other.options.jitter == 0.5
    assert other.options.timeout is None
    assert other.executor is pool
    assert not other.is_async


def test_async_functions_and_what_wraps_them_are_awaited(flow: Flow[int]) -> None:
    def traced(fn: Callable[[int], Coroutine[Any, Any, T]]) -> Any:
        @functools.wraps(fn)
        def wrapper(n: int) -> Coroutine[Any, Any, T]:
            return fn(n)

        return wrapper

    async def plain(n: int) -> int:
        return n

    def gives_awaitable(n: int) -> Awaitable[int]:
        return plain(n)

    assert flow.add(plain, flow.input).is_async
    assert untyped(flow).step(slug="wrapped").add(traced(plain), flow.input).is_async
    awaited = untyped(flow).add(gives_awaitable, flow.input)
    assert awaited.is_async
    assert awaited.dump_output(5) == "5"


def test_one_function_serves_in_several_flows(context: Context) -> None:
    def double(n: int, factor: int = 2, *, ctx: Context) -> int:
        return n * factor * ctx.attempt

    first, second = Flow("first", input=int), Flow("second", input=int)
    a = first.add(double, first.input, ctx=first.context)
    b = second.step(slug="again", max_attempts=2).add(
        double, second.input, factor=3, ctx=second.context
    )
    assert (a.slug, b.slug) == ("double", "again")
    assert a.bind("{}", "4", None, context) == ([], {"n": 4, "ctx": context})
    args, kwargs = b.bind("{}", "4", None, context)
    assert double(*args, **kwargs) == 12
    assert double(1, ctx=context) == 2


def test_a_step_of_one_flow_is_added_to_another_as_its_function(flow: Flow[int]) -> None:
    other = Flow("other", input=int)
    one: Step[[int], int, int] = untyped(flow).get_step("one")
    again = other.add(one, other.input)
    assert again.fn is one.fn
    assert again.takes_flow_input


def test_partials_methods_and_callables_are_functions(flow: Flow[int], context: Context) -> None:
    class Scaler:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        def scale(self, n: int) -> int:
            return n * self.factor

        def __call__(self, n: int) -> int:
            return self.scale(n)

    def power(n: int, exponent: int) -> int:
        return int(n**exponent)

    def value(step: Any) -> int:
        args, kwargs = step.bind("{}", "5", None, context)
        return int(step(*args, **kwargs))

    assert value(flow.add(Scaler(3).scale, flow.input)) == 15
    assert value(flow.add(functools.partial(power, exponent=2), flow.input)) == 25
    assert value(flow.step(slug="called").add(Scaler(4), flow.input)) == 20
    assert [step.slug for step in flow.steps] == ["one", "scale", "power", "called"]


def test_the_context_may_stand_anywhere(flow: Flow[int], context: Context) -> None:
    @flow.step
    def first(ctx: Context, n: int = flow.input) -> int:
        return n

    @flow.step
    def last(n: int = flow.input, *, ctx: Context) -> int:
        return n

    @flow.step
    def maybe(n: int = flow.input, ctx: Context | None = None) -> int:
        return n

    @flow.step
    def named(n: int = flow.input, ctx: Context = flow.context) -> int:
        return n

    for step in (first, last, maybe, named):
        assert step.bind("{}", "5", None, context) == ([], {"n": 5, "ctx": context})


def test_the_context_may_be_a_class_of_its_own(flow: Flow[int], context: Context) -> None:
    class Richer(Context):
        pass

    @flow.step
    def uses(ctx: Richer) -> None: ...

    assert uses.bind("{}", "5", None, context) == ([], {"ctx": context})


def test_parameters_keep_ordinary_defaults(flow: Flow[int], context: Context) -> None:
    @flow.step
    def scaled(n: int = flow.input, factor: int = 3) -> int:
        return n * factor

    args, kwargs = scaled.bind("{}", "5", None, context)
    assert kwargs == {"n": 5}
    assert scaled(*args, **kwargs) == 15


def test_positional_only_parameters_are_passed_by_position(
    flow: Flow[int], context: Context
) -> None:
    @flow.step
    def minus(a: int = flow.input, /, b: int = flow.input) -> int:
        return a - b

    assert minus.bind("{}", "5", None, context) == ([5], {"b": 5})


def test_a_duplicate_slug_names_both_functions(flow: Flow[int]) -> None:
    def one(n: int) -> int:
        return n

    with pytest.raises(DefinitionError) as raised:
        flow.add(one, flow.input)
    assert line_of(one) in str(raised.value)
    assert line_of(flow.get_step("one").fn) in str(raised.value)
    assert "flow 'f' already has a step 'one'" in str(raised.value)
    assert "slug=" in str(raised.value)


def test_a_parameter_without_a_reference_is_named_with_function_and_line(
    flow: Flow[int],
) -> None:
    def needs(n: int, other: int) -> int:
        return n + other

    with pytest.raises(DefinitionError) as raised:
        untyped(flow).add(needs, flow.input)
    assert str(raised.value) == (
        f"function 'needs' ({line_of(needs)}): parameter 'other' has no reference: "
        "give it a default such as flow.input or fetch.output"
    )
    assert len(flow.steps) == 1


def test_a_step_of_another_flow_is_refused(flow: Flow[int]) -> None:
    foreign: Any = flow.get_step("one")
    other = Flow("other", input=int)
    with pytest.raises(DefinitionError, match=r"step 'one' of flow 'f'.*of flow 'other'.*add\(\)"):

        @other.step
        def two(n: int = foreign.output) -> int:
            return n

    with pytest.raises(DefinitionError, match="step 'one' of flow 'f'"):

        @other.step(after=[foreign])
        def three() -> None: ...

    with pytest.raises(DefinitionError, match=r"takes <input of flow 'f'>.*one of flow 'other'"):

        @other.step
        def four(n: int = flow.input) -> int:
            return n

    assert other.steps == ()


def refused(reason: str) -> Any:
    return pytest.raises(DefinitionError, match=reason)


def test_functions_that_cannot_be_steps_are_refused(flow: Flow[int]) -> None:
    loose = untyped(flow)

    def many(*numbers: int) -> None: ...
    def named(**numbers: int) -> None: ...
    def yields() -> Iterator[int]:
        yield 1

    async def yields_async() -> AsyncIterator[int]:
        yield 1

    def generic(n: list[T]) -> T:
        return n[0]

    with refused(r"'many'.*\*numbers cannot be filled"):
        loose.step(many)
    with refused(r"'named'.*\*\*numbers cannot be filled"):
        loose.step(named)
    with refused("'yields'.*it yields.*return a list"):
        loose.step(yields)
    with refused("'yields_async'.*it yields"):
        loose.step(yields_async)
    nameless: Callable[[int], int] = lambda n: n  # noqa: E731 (that is what is tested)
    with refused("a lambda has no annotations"):
        loose.add(nameless, flow.input)
    with refused("a step needs a function, not <class 'int'>"):
        loose.add(int, flow.input)
    with refused("a step needs a function, not 5"):
        loose.step(slug="x")(5)
    with refused("leaves ~T open"):
        loose.add(generic, flow.input)
    with refused("'print'|signature|return type is missing"):
        loose.add(print, flow.input)
    assert len(flow.steps) == 1


def test_missing_annotations_are_refused(flow: Flow[int]) -> None:
    loose = untyped(flow)

    def no_return(n: int) -> int:
        return n

    def no_parameter(n: int) -> int:
        return n

    del no_return.__annotations__["return"]
    del no_parameter.__annotations__["n"]

    with refused("'no_return'.*its return type is missing; annotate it, `-> None` if none"):
        loose.add(no_return, flow.input)
    with refused("'no_parameter'.*parameter 'n' has no annotation"):
        loose.add(no_parameter, flow.input)


def test_a_step_instead_of_its_output_is_refused(flow: Flow[int]) -> None:
    one: Any = flow.get_step("one")
    loose = untyped(flow)

    def takes(n: int) -> int:
        return n

    with refused(r"'n' has <single step 'one' of flow 'f'> as its default; write \.output"):
        loose.add(takes, one)
    with refused(r"write \.input behind it"):
        loose.add(takes, flow)
    with refused("holds references inside a container"):
        loose.add(takes, [one.output])


def test_arguments_that_do_not_fit_the_function_are_refused(flow: Flow[int]) -> None:
    def takes(n: int) -> int:
        return n

    loose = untyped(flow)
    with refused("takes 1 arguments by position here, but 2 were given"):
        loose.add(takes, flow.input, flow.input)
    with refused("cannot take an argument 'm' here"):
        loose.add(takes, flow.input, m=5)
    with refused("cannot take an argument 'n' here"):
        loose.add(takes, flow.input, n=5)


def test_options_that_cannot_be_are_refused(flow: Flow[int]) -> None:
    def takes(n: int) -> int:
        return n

    async def takes_async(n: int) -> int:
        return n

    step = untyped(flow).step
    reference = untyped(flow).get_step("one").output
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"max_atempts": 3}, "there is no option max_atempts"),
        ({"max_attempts": 0}, "'takes'.*max_attempts must be 1 or more"),
        ({"start_delay": timedelta(seconds=-1)}, "start_delay must be 0:00:00 or more"),
        ({"when_exhausted": "ignore"}, "when_exhausted must be one of 'fail', 'skip'"),
        ({"executor": "threads"}, "executor must be 'thread', 'process' or a concurrent"),
        ({"executor": ThreadPoolExecutor}, "or a function that makes one, not <class"),
        ({"after": reference}, r"after= takes a list of steps.*leave out \.output"),
        ({"after": untyped(flow).get_step("one")}, "after= takes a list of steps, not <single"),
        ({"after": ["one"]}, "after= takes a list of steps, not 'one'"),
        ({"slug": "run"}, "the slug 'run' is reserved"),
    ]
    for options, reason in wrong:
        with refused(reason):
            step(**options).add(takes, flow.input)
    with refused("executor is for plain functions; an async one runs on the event loop"):
        step(executor="process").add(takes_async, flow.input)
    assert len(flow.steps) == 1


def test_a_name_that_is_no_slug_asks_for_one(flow: Flow[int]) -> None:
    def größe(n: int) -> int:
        return n

    with refused("the slug 'größe' may hold only ASCII letters"):
        flow.add(größe, flow.input)
    assert flow.step(slug="groesse").add(größe, flow.input).slug == "groesse"
