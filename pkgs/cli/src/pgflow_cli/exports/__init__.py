"""pgflow's SQL as migrations of the tool that a team already has."""

from pgflow_cli.exports.piece import ExportPiece, core_pieces, flow_pieces
from pgflow_cli.exports.plan import Export, plan_export, write_export
from pgflow_cli.exports.tools import TOOLS, Tool

__all__ = [
    "TOOLS",
    "Export",
    "ExportPiece",
    "Tool",
    "core_pieces",
    "flow_pieces",
    "plan_export",
    "write_export",
]
