"""Errors of commands, told to people as one message.

PgflowError
 ├── FlowLoadError      flows could not be had from code
 │    ├── TargetInvalid     what was given names no module and flow
 │    ├── ModuleMissing     there is no such module or file
 │    ├── ModuleBroken      the module raises while it is imported
 │    ├── FlowMissing       the module has no such flow, or none
 │    ├── FlowAmbiguous     one flow is needed, and the module has several
 │    └── SlugsClash        two flows have one slug
 ├── AddressTaken       the dashboard cannot listen where it was told to
 ├── InputUnreadable    the input of a run cannot be read, or is not JSON
 ├── ExportChanged      a migration was exported from another file than this pgflow ships
 ├── FileDiffers        a file is there already, and says something else
 ├── MigrationsUnreadable  a folder of migrations cannot be continued
 ├── RolesMissing       the server does not have the group roles
 └── PortUnusable       a port to listen on is taken, or not to be had
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow_dsl.errors import PgflowError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "AddressTaken",
    "ExportChanged",
    "FileDiffers",
    "FlowAmbiguous",
    "FlowLoadError",
    "FlowMissing",
    "InputUnreadable",
    "MigrationsUnreadable",
    "ModuleBroken",
    "ModuleMissing",
    "PortUnusable",
    "RolesMissing",
    "SlugsClash",
    "TargetInvalid",
]


class FlowLoadError(PgflowError):
    """Flows could not be had from code.

    Attributes:
        target: What was given: MODULE:FLOW, MODULE, or a file in place of the module.
    """

    def __init__(self, target: str, *more: object) -> None:
        super().__init__(target, *more)
        self.target = target


class TargetInvalid(FlowLoadError):
    """What was given names no module and flow."""

    def __str__(self) -> str:
        return (
            f"{self.target!r} names no flow; give a module or file, and a flow in it, such as "
            "flows:greet, flows.py:greet, or flows.py for all of its flows"
        )


class ModuleMissing(FlowLoadError):
    """There is no such module or file.

    Attributes:
        target: What was given.
        what: The module or file that was looked for.
        advice: What may have been meant; None where nobody knows.
    """

    def __init__(self, target: str, what: str, advice: str | None = None) -> None:
        super().__init__(target, what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}" if self.advice else self.what


class ModuleBroken(FlowLoadError):
    """The module raises while it is imported.

    Attributes:
        target: What was given.
        reason: The class and the message of what it raised.
        place: File and line in the user's own code; None where none is known.
        code: The text of that line; None where it cannot be read.
    """

    def __init__(self, target: str, reason: str, place: str | None, code: str | None) -> None:
        super().__init__(target, reason, place, code)
        self.reason = reason
        self.place = place
        self.code = code

    def __str__(self) -> str:
        lines = [f"{self.target} cannot be imported: {self.reason}"]
        if self.place is not None:
            lines.append(f"  at {self.place}" + (f": {self.code}" if self.code else ""))
        return "\n".join(lines)


class FlowMissing(FlowLoadError):
    """The module has no such flow, or none at all.

    Attributes:
        target: What was given.
        reason: What is there instead.
        known: The flows that the module has, as names in it.
    """

    def __init__(self, target: str, reason: str, known: tuple[str, ...]) -> None:
        super().__init__(target, reason, known)
        self.reason = reason
        self.known = known

    def __str__(self) -> str:
        flows = ", ".join(self.known)
        return f"{self.reason}; its flows: {flows}" if flows else self.reason


class FlowAmbiguous(FlowLoadError):
    """One flow is needed, and the module has several.

    Attributes:
        target: What was given.
        known: The flows that the module has, as names in it.
    """

    def __init__(self, target: str, known: tuple[str, ...]) -> None:
        super().__init__(target, known)
        self.known = known

    def __str__(self) -> str:
        choices = ", ".join(f"{self.target}:{name}" for name in self.known)
        return f"{self.target} has several flows; name one: {choices}"


class SlugsClash(FlowLoadError):
    """Two different flows have one slug, so that a database could hold only one of them.

    Attributes:
        target: What named the second flow.
        slug: The slug.
    """

    def __init__(self, target: str, slug: str) -> None:
        super().__init__(target, slug)
        self.slug = slug

    def __str__(self) -> str:
        return f"{self.target}: another flow has the slug {self.slug!r} already; change one of them"


class AddressTaken(PgflowError):
    """The dashboard cannot listen where it was told to.

    Attributes:
        host: The address.
        port: The port.
        reason: Why not.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(host, port, reason)
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"cannot listen on {self.host}, port {self.port}: {self.reason}; "
            "choose another --port, or 0 for a free one"
        )


class InputUnreadable(PgflowError):
    """The input of a run cannot be read, or is not JSON.

    Attributes:
        source: Where it comes from: "INPUT", a file's name, or "standard input".
        reason: What is wrong with it.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source} {self.reason}"


class ExportChanged(PgflowError):
    """A migration was exported from another file than this pgflow ships.

    Attributes:
        path: The file that holds it.
        key: What it is.
    """

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(path, key)
        self.path = path
        self.key = key

    def __str__(self) -> str:
        return (
            f"{self.path} holds {self.key} of another pgflow than this one; released migrations "
            "are never edited, so restore the file, or the pgflow that wrote it"
        )


class MigrationsUnreadable(PgflowError):
    """A folder of migrations cannot be continued.

    Attributes:
        path: The folder, or the file in it.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class FileDiffers(PgflowError):
    """A file is there already, and says something else.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path} is there already with other content, and was left alone; if the flow has "
            "changed, choose another --name for a new migration, or overwrite it with --force"
        )


class RolesMissing(PgflowError):
    """The server does not have the group roles.

    Attributes:
        names: Those that are missing.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names

    def __str__(self) -> str:
        return (
            f"there is no role {' or '.join(self.names)}, and this user may not create roles; let "
            "an administrator run what `pgflow install --roles --sql` prints, and install once more"
        )


class PortUnusable(PgflowError):
    """A port to listen on is taken, or not to be had.

    Attributes:
        host: The address.
        port: The port.
        reason: What the system says.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(host, port, reason)
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot listen on port {self.port} of {self.host}: {self.reason}"
