"""A real browser for tests, and the address of what `pgflow dev` serves."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import until

PATIENCE = timedelta(seconds=30)

# Where the system keeps its Chromium; Playwright's own is not downloaded.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARTEFACTS = Path(__file__).parents[4] / "artefacts" / "dashboard"

# Its handlers wait for files, so that a test sees each state for as long as it wants to.
SHOP = """
import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pgflow_dsl import Context, Flow
from pydantic import BaseModel, Field


class Order(BaseModel):
    number: int = Field(ge=1, description="Number of the order")
    items: list[str]
    wrapping: Literal["plain", "gift"] = "plain"


async def wait_for(name: str) -> None:
    while not Path(name).exists():
        await asyncio.sleep(0.02)


order = Flow("order", input=Order, max_attempts=2, base_delay=timedelta(0))


@order.step
async def reserve(placed: Order = order.input) -> list[str]:
    await wait_for("may_reserve")
    return placed.items


@order.map(over=reserve.output)
async def pack(item: str, ctx: Context) -> str:
    if ctx.task_index > 0:
        await wait_for("may_pack")
    if item == "gone" and not Path("in_stock").exists():
        raise RuntimeError("out of stock")
    return f"box of {item}"


@order.step(when={order: {"wrapping": "gift"}})
async def wrap(boxes: list[str] = pack.output) -> str:
    return f"{len(boxes)} bows"


@order.step(when_exhausted="skip")
async def thank(ctx: Context, placed: Order = order.input) -> str:
    for word in ("thank ", "you ", "very ", "much"):
        await ctx.emit(word)
    return "thanks"


@order.step(after=[thank])
async def ship(boxes: list[str] = pack.output, bows: str | None = wrap.output) -> list[str]:
    return boxes
"""


def find_browser() -> str | None:
    """Return the path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def developing(pgflow: Any, *words: str) -> Iterator[str]:
    """Run `pgflow dev` in the folder of `pgflow`, and give the address of its dashboard."""
    output = pgflow.folder / "dev.out"
    with output.open("w") as out, (pgflow.folder / "dev.err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "pgflow_cli", "dev", *words, "--port", "0"],
            cwd=pgflow.folder,
            env=pgflow.env,
            stdout=out,
            stderr=err,
        )
    try:
        until(lambda: "dashboard" in output.read_text(), PATIENCE)
        found = re.search(r"http://\S+", output.read_text())
        assert found is not None
        yield found[0].rstrip("/")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE.total_seconds()) == 0


def require_browser() -> str:
    """Return the path of a Chromium, or skip the test."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed here")
    path = find_browser()
    if path is None:
        pytest.skip("there is no Chromium here (apt-get install chromium)")
    return path


def keep(name: str) -> str:
    """Return where an artefact of that name goes."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    return os.fspath(ARTEFACTS / name)
