"""What `pgflow install --for` and `pgflow compile --for` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pgflow_cli.exports.plan import plan_export, write_export
from pgflow_cli.exports.tools import TOOLS
from pgflow_cli.printing import print_json
from pgflow_cli.reporting import PENDING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pgflow_cli.exports.piece import ExportPiece

__all__ = ["export"]


def export(
    pieces: Sequence[ExportPiece], tool_name: str, out: Path | None, *, check: bool, as_json: bool
) -> int:
    """Write the migrations that are missing, tell which, and return the exit code.

    Args:
        pieces: What the migrations should hold.
        tool_name: One of TOOLS.
        out: The folder; None is where the tool has it.
        check: Whether only to look.
        as_json: Whether to tell it as JSON.

    Raises:
        UsageError: No folder is given, and the tool has it nowhere in particular.
    """
    tool = TOOLS[tool_name]
    folder = out or tool.default_folder()
    if folder is None:
        raise click.UsageError(
            f"--for {tool_name} needs --out, the folder of the migrations{tool.why_no_folder}"
        )
    planned = plan_export(tool, folder, pieces)
    if not check:
        write_export(planned)
    state = "missing" if check else "written"
    states = [(path, state) for path in planned.files]
    states += [(path, "unchanged") for path in planned.unchanged]
    if as_json:
        print_json([{"path": str(path), "state": state} for path, state in states])
    else:
        for path, state in states:
            click.echo(f"{state.capitalize()}: {path}")
    return PENDING if check and planned.files else 0
