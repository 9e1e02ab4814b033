"""Getting flows from people's modules and files."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard, cast

from pgflow_dsl import Flow, Step

from pgflow_cli._blame import describe_error
from pgflow_cli.errors import (
    FlowAmbiguous,
    FlowMissing,
    ModuleBroken,
    ModuleMissing,
    SlugsClash,
    TargetInvalid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

__all__ = ["load_flow", "load_flows", "load_function", "names_code"]

_NAMES: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MODULE: Final = re.compile(r"\w+(\.\w+)*")
_NOTHING: Final = object()


def names_code(target: str) -> bool:
    """Tell whether a target names code: a module with a flow, a dotted module, or a file.

    A single word does not: it is the slug of a flow.
    """
    return any(mark in target for mark in (":", ".", "/", os.sep))


def load_flows(targets: Iterable[str]) -> list[Flow[Any]]:
    """Import the flows that targets name, each of them once.

    The current folder is on the path, as it is for `python -m`. What a module prints while it is
    imported goes to stderr.

    Args:
        targets: `module:flow`, `package.module:name.flow`, `module` for all flows in it, or any of
            these with the path of a file in place of the module; or a folder, for the flows of
            all files below it.

    Raises:
        SlugsClash: Two different flows have one slug.
        FlowLoadError: A target names nothing, its module is not there or cannot be imported, or
            it has no such flow.
    """
    flows: dict[str, Flow[Any]] = {}
    for target in chain.from_iterable(map(_files_of, targets)):
        for flow in _flows_of(target).values():
            if flows.setdefault(flow.slug, flow) is not flow:
                raise SlugsClash(target, flow.slug)
    return list(flows.values())


def load_flow(target: str) -> Flow[Any]:
    """Import the one flow that a target names.

    Args:
        target: As for `load_flows`.

    Raises:
        FlowAmbiguous: It names several.
        FlowLoadError: As for `load_flows`.
    """
    flows = _flows_of(target)
    if len(flows) > 1:
        raise FlowAmbiguous(target, tuple(flows))
    return next(iter(flows.values()))


def load_function(target: str) -> Callable[..., Any]:
    """Import the function that a target names.

    Args:
        target: `module:function`, or with the path of a file in place of the module.

    Raises:
        FlowLoadError: The module is not there or cannot be imported, or has no such function.
    """
    name, attribute = _split(target)
    if attribute is None:
        raise TargetInvalid(target)
    value = _value_named(attribute, name, _import(name, target), target, ())
    if not callable(value):
        raise FlowMissing(target, f"{attribute!r} in {name} is {_kind_of(value)}, no function", ())
    return cast("Callable[..., Any]", value)


def _files_of(target: str) -> list[str]:
    """Return the files with flows of a target that is a folder; any other target as it is."""
    folder = Path(target)
    if not target or not folder.is_dir() or (folder / "__init__.py").exists():
        return [target]
    from pgflow_cli.finding import flow_files

    files = [str(path) for path in flow_files(folder)]
    if not files:
        raise FlowMissing(target, f"there is no file with a flow in {target}", ())
    return files


def _flows_of(target: str) -> dict[str, Flow[Any]]:
    """Return the flows that a target names, at least one, by their names in the module."""
    name, attribute = _split(target)
    module = _import(name, target)
    flows = _flows_in(module)
    if attribute is not None:
        return {attribute: _flow_named(attribute, name, module, target, tuple(flows))}
    if not flows:
        raise FlowMissing(target, f"there is no flow in {name}", ())
    return flows


def _split(target: str) -> tuple[str, str | None]:
    # From the right: a path may begin with the letter of a drive.
    head, colon, tail = target.rpartition(":")
    name, attribute = (head, tail) if colon and _NAMES.fullmatch(tail) else (target, None)
    if not name or name.endswith(":"):
        raise TargetInvalid(target)
    return name, attribute


def _flows_in(module: ModuleType) -> dict[str, Flow[Any]]:
    """Return the flows of a module by their first name in it."""
    values = {name: value for name, value in vars(module).items() if _is_flow(value)}
    first = {id(flow): name for name, flow in reversed(values.items())}
    return {name: flow for name, flow in values.items() if first[id(flow)] == name}


def _flow_named(
    attribute: str, name: str, module: ModuleType, target: str, known: tuple[str, ...]
) -> Flow[Any]:
    value = _value_named(attribute, name, module, target, known)
    if _is_flow(value):
        return value
    raise FlowMissing(target, f"{attribute!r} in {name} is {_kind_of(value)}, not a flow", known)


def _value_named(
    attribute: str, name: str, module: ModuleType, target: str, known: tuple[str, ...]
) -> object:
    value: Any = module
    for part in attribute.split("."):
        # A reference such as `flow.input` raises what is an AttributeError, too.
        value = getattr(value, part, _NOTHING)
        if value is _NOTHING:
            raise FlowMissing(target, f"there is no {attribute!r} in {name}", known)
    return value


def _kind_of(value: object) -> str:
    if isinstance(value, Step):
        return f"step {value.slug!r}"
    return "a class" if isinstance(value, type) else f"a {type(value).__name__}"


def _is_flow(value: object) -> TypeGuard[Flow[Any]]:
    return isinstance(value, Flow)


def _import(name: str, target: str) -> ModuleType:
    is_file = name.endswith(".py") or "/" in name or os.sep in name
    if not is_file and not _MODULE.fullmatch(name):
        raise TargetInvalid(target)
    # Results of commands are on stdout, and a script may read them.
    with redirect_stdout(sys.stderr):
        try:
            return _import_file(Path(name), target) if is_file else _import_module(name, target)
        except (ModuleMissing, TargetInvalid, KeyboardInterrupt):
            raise
        # A module may raise anything, and may even try to end the process.
        except BaseException as error:
            described = describe_error(error)
            raise ModuleBroken(name, described.reason, described.place, described.code) from error


def _import_module(name: str, target: str) -> ModuleType:
    _put_on_path(Path.cwd())
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        # Only the target itself is missing here; what else it imports is its own mistake.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
    file = Path(*name.split(".")).with_suffix(".py")
    what = f"there is no module {name!r} in {Path.cwd()} or in this Python"
    raise ModuleMissing(target, what, f"did you mean {file}?" if file.exists() else None)


def _import_file(path: Path, target: str) -> ModuleType:
    file = path.resolve()
    if not file.is_file():
        what = f"{path} is a folder" if file.is_dir() else f"there is no file {path}"
        raise ModuleMissing(target, what, "give a Python file or a module")
    # Imported under the name that others import it by, so that it is there once only, and so
    # that processes for handlers find it.
    root = file.parent
    names = [file.stem]
    while (root / "__init__.py").exists():
        names.insert(0, root.name)
        root = root.parent
    _put_on_path(Path.cwd())
    if names[0] in sys.stdlib_module_names:
        # What it imports may be next to it, but nobody else is to find it there.
        sys.path.append(str(root))
        return _import_by_path(file)
    _put_on_path(root)
    name = ".".join(names)
    if "." not in file.stem and _stands_for(name, file):
        return import_module(name)
    return _import_by_path(file)


def _stands_for(name: str, file: Path) -> bool:
    """Tell whether a name imports this file, and not another of that name."""
    try:
        spec = find_spec(name)
    except ValueError:
        # A module of that name was imported without a trace of where it comes from.
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file


def _import_by_path(file: Path) -> ModuleType:
    plain = re.sub(r"\W", "_", file.stem)
    name = f"pgflow_file_{plain}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModuleMissing(str(file), f"{file} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
