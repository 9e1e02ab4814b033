"""Finding flows in people's code: `module`, `module:flow`, `path/to/file.py:flow`."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from pgflow_dsl import Flow, PgflowError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["FlowSourceInvalid", "load_flow", "load_flows", "names_code"]


class FlowSourceInvalid(PgflowError):
    """What names flows in code leads to none.

    Attributes:
        source: What was given, such as "shop.flows:order".
        reason: Why it leads to no flow, and what would.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source!r} names no flow: {self.reason}"


def names_code(source: str) -> bool:
    """Tell whether a text names a flow in code, and is not the slug of one."""
    return any(mark in source for mark in ":./\\")


def load_flows(sources: Iterable[str]) -> list[Flow[Any]]:
    """Import modules and return the flows that are named, each once.

    Args:
        sources: Texts such as "shop.flows:order", "shop.flows" for all flows of a module, or
            "flows.py:order" for a file.

    Raises:
        FlowSourceInvalid: A module does not import, or there is no such flow.
    """
    found: dict[int, Flow[Any]] = {}
    for source in sources:
        for flow in _flows_of(source):
            found[id(flow)] = flow
    return list(found.values())


def load_flow(source: str) -> Flow[Any]:
    """Import a module and return the one flow that is named.

    Raises:
        FlowSourceInvalid: The module does not import, or it is not one flow that is named.
    """
    flows = _flows_of(source)
    if len(flows) > 1:
        slugs = ", ".join(flow.slug for flow in flows)
        raise FlowSourceInvalid(source, f"it names several, {slugs}; write `{source}:NAME` for one")
    return flows[0]


def _flows_of(source: str) -> list[Flow[Any]]:
    place, _, attribute = source.rpartition(":") if _has_attribute(source) else (source, "", "")
    module = _import(source, place)
    if not attribute:
        flows = {id(flow): flow for value in vars(module).values() if (flow := _as_flow(value))}
        if not flows:
            raise FlowSourceInvalid(source, "the module has none as a global")
        return list(flows.values())
    value: Any = module
    for name in attribute.split("."):
        if not hasattr(value, name):
            known = [name for name, each in vars(module).items() if _as_flow(each)]
            flows_there = f"its flows: {', '.join(known)}" if known else "it has no flow"
            raise FlowSourceInvalid(source, f"there is no {name!r} in {place}; {flows_there}")
        value = getattr(value, name)
    flow = _as_flow(value)
    if flow is None:
        raise FlowSourceInvalid(source, f"{attribute!r} is {type(value).__name__}, not a flow")
    return [flow]


def _has_attribute(source: str) -> bool:
    # The colon of a Windows drive is part of a path.
    return ":" in source and "/" not in source.rpartition(":")[2].replace("\\", "/")


def _as_flow(value: object) -> Flow[Any] | None:
    return value if _is_flow(value) else None


def _is_flow(value: object) -> TypeGuard[Flow[Any]]:
    return isinstance(value, Flow)


def _import(source: str, place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        if place.endswith(".py"):
            return _import_file(source, Path(place))
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            reason = f"there is no module {error.name!r} in {here} or on the import path"
            raise FlowSourceInvalid(source, reason) from error
        raise FlowSourceInvalid(source, _import_problem(place, error)) from error
    except FlowSourceInvalid:
        raise
    # Whatever the code at the top of a module raises; SystemExit is such code's, too.
    except (Exception, SystemExit) as error:
        raise FlowSourceInvalid(source, _import_problem(place, error)) from error


def _import_file(source: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise FlowSourceInvalid(source, f"there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # By its name, so that another process can import it the same way.
    return importlib.import_module(path.stem)


def _import_problem(place: str, error: BaseException) -> str:
    """Say where in people's code an import failed, and why."""
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{place} does not import: {error.filename}:{error.lineno}: {told}"
    ours = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", ours)) and "importlib" not in frame.filename
    ]
    where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{place} does not import: {where}{told}"
