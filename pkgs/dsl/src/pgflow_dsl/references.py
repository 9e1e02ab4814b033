"""References: what stands in a handler's signature for a value that exists only at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from pgflow_dsl.errors import ReferenceUsed

if TYPE_CHECKING:
    from pgflow_dsl.flow import Flow
    from pgflow_dsl.step import AnyStep

__all__ = ["ContextReference", "InputReference", "OutputReference", "Reference"]


class Reference:
    """Stands for a value of a run. Type checkers see the value's type instead of this class."""

    # Named so that no field of a user's data is ever found here instead of raising an error.
    __slots__ = ("pgflow_source",)

    def _refuse(self, use: str) -> NoReturn:
        reason = (
            f"is only a reference, so {use} cannot work. Take the whole value as the default of a "
            "parameter and use it inside the function; to call the function yourself, pass a value"
        )
        raise ReferenceUsed(repr(self), reason)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and name.endswith("__"):
            # Python and its tools probe for these and expect the plain error.
            raise AttributeError(name)
        self._refuse(f".{name}")

    def __getitem__(self, key: object) -> NoReturn:
        self._refuse(f"[{key!r}]")

    def __iter__(self) -> NoReturn:
        self._refuse("iterating over it")

    def __len__(self) -> NoReturn:
        self._refuse("len()")

    def __bool__(self) -> NoReturn:
        self._refuse("a truth test")

    def __contains__(self, item: object) -> NoReturn:
        self._refuse("`in`")

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Refuse to be called."""
        self._refuse("calling it")


class InputReference(Reference):
    """Stands for the input of a flow's run."""

    __slots__ = ()

    def __init__(self, flow: Flow[Any]) -> None:
        self.pgflow_source: Final = flow

    def __repr__(self) -> str:
        return f"<input of flow {self.pgflow_source.slug!r}>"


class OutputReference(Reference):
    """Stands for the output of a step."""

    __slots__ = ()

    def __init__(self, step: AnyStep) -> None:
        self.pgflow_source: Final = step

    def __repr__(self) -> str:
        step = self.pgflow_source
        return f"<output of step {step.slug!r} of flow {step.flow.slug!r}>"


class ContextReference(Reference):
    """Stands for the task's `Context`, where one has to be named."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<context of the task>"
