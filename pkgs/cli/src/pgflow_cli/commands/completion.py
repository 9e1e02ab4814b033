"""`pgflow completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

_SHELLS: Final = ("bash", "zsh", "fish")
_PLACES: Final = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/completions/pgflow.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion(*, shell: str | None) -> None:
    """Print what a shell needs to complete `pgflow`; SHELL is the one you use by default.

    Put it where the shell reads it at its start, such as:
    `pgflow completion bash >> ~/.bashrc`.
    """
    from click.shell_completion import get_completion_class

    from pgflow_cli.app import NAME, main
    from pgflow_cli.printing import say

    chosen = shell or Path(os.environ.get("SHELL", "")).name
    if chosen not in _SHELLS:
        raise click.UsageError(f"Name the shell: {', '.join(_SHELLS)}.")
    kind = get_completion_class(chosen)
    if kind is None:
        raise click.UsageError(f"There is no completion for {chosen}.")
    complete = kind(main.command, {}, NAME, "_PGFLOW_COMPLETE")
    # What click checks of bash first would cost a process and a warning at each start of a shell.
    click.echo(complete.source_template % complete.source_vars())
    say(f"# for {_PLACES[chosen]}")
