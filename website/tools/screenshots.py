"""Makes the pictures of the docs anew: `uv run python website/tools/screenshots.py`.

It needs Debian's Chromium. An embedded server of its own serves a small shop, whose runs are then
looked at in the browser and in the terminal.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from pgflow_client import Client, RunFailed
from playwright.sync_api import FloatRect, Page, sync_playwright
from rich.console import Console
from rich.text import Text

TOOLS = Path(__file__).parent
IMAGES = TOOLS.parent / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COLUMNS = 96
ADDRESS = {"street": "Damrak 1", "city": "Amsterdam"}
# Rich names fonts of a content network, which no reader of the docs should have to ask.
FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(exist_ok=True)
    with developing() as (base, run_pgflow), Client(run_pgflow("db", "url").strip()) as client:
        seed(client)
        failed = client.start_flow("order", an_order(41, ["cup", "unicorn"]))
        with suppress(RunFailed):
            failed.wait()
        with sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, BROWSERS)))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            shoot_live_run(page, base, client)
            shoot_pages(page, base, failed.run_id)
            phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
            shoot_phone(phone, base, failed.run_id)
            browser.close()
        for name, words in (
            ("runs", ("runs", "list", "--limit", "6")),
            ("doctor", ("doctor",)),
            ("graph", ("graph", "order")),
            ("workers", ("workers",)),
        ):
            shoot_terminal(name, run_pgflow, words)


def an_order(number: int, items: list[str]) -> dict[str, Any]:
    """Return the input of a run."""
    return {"number": number, "items": items, "express": number % 2 == 0, "address": ADDRESS}


def seed(client: Client) -> None:
    """Leave some history."""
    items = ["cup", "plate", "book", "pen", "lamp"]
    runs = [
        client.start_flow(
            "order", an_order(number, items[: 1 + number % 4]), tags={"shop": "Amsterdam"}
        )
        for number in range(1, 13)
    ]
    runs += client.start_flows("restock", items * 20)
    for run in runs:
        run.wait()


def shoot_live_run(page: Page, base: str, client: Client) -> None:
    """Look at a run while it goes on."""
    page.goto(f"{base}/runs")
    page.locator(".runs tbody tr").first.wait_for()
    run = client.start_flow("order", an_order(42, ["cup", "vase", "book", "lamp", "pen"]))
    page.goto(f"{base}/runs/{run.run_id}")
    page.locator(".dag-step.is-started", has_text=re.compile("[12] of 5")).wait_for()
    settle(page)
    page.screenshot(path=IMAGES / "run-live.png")
    page.locator(".run-head .status.is-completed").wait_for()


def shoot_pages(page: Page, base: str, failed: object) -> None:
    """Look at each page."""
    for name, path, selector in (
        ("flows", "/flows", ".flow-card"),
        ("flow", "/flows/order", ".runs tbody tr"),
        ("runs", "/runs", ".runs tbody tr"),
        ("run-failed", f"/runs/{failed}", ".events li"),
        ("workers", "/workers", ".chart svg"),
    ):
        page.goto(base + path)
        page.locator(selector).first.wait_for()
        if name == "run-failed":
            page.locator(".dag-step", has_text="pack").click()
            page.locator(".failures").wait_for()
        settle(page)
        page.screenshot(path=IMAGES / f"{name}.png", clip=down_to_the_end(page))


def settle(page: Page) -> None:
    """Wait until colours have changed."""
    page.evaluate(
        "Promise.allSettled(document.getAnimations()"
        ".filter(each => 'transitionProperty' in each).map(each => each.finished))"
    )


def down_to_the_end(page: Page) -> FloatRect:
    """Return what a picture shows: the window, without what is empty below a short page."""
    size = page.viewport_size
    assert size is not None
    end = page.evaluate("document.querySelector('main').getBoundingClientRect().bottom")
    return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], end)}


def shoot_phone(page: Page, base: str, failed: object) -> None:
    """Look at a run on a small screen, in the dark."""
    page.goto(f"{base}/runs/{failed}")
    page.locator(".events li").first.wait_for()
    page.screenshot(path=IMAGES / "run-phone.png")


def shoot_terminal(name: str, run_pgflow: Any, words: tuple[str, ...]) -> None:
    """Draw what a command prints on a terminal."""
    console = Console(width=COLUMNS, record=True, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ pgflow {' '.join(words)}\n{run_pgflow(*words)}".rstrip()))
    svg = console.export_svg(title="", unique_id=f"terminal-{name}")
    (IMAGES / f"terminal-{name}.svg").write_text(FONT_FACES.sub("", svg))


@contextmanager
def developing() -> Iterator[tuple[str, Any]]:
    """Run `pgflow dev` in a folder of its own; give its address, and what runs other commands."""
    folder = Path(tempfile.mkdtemp(prefix="pgflow-pictures-"))
    # Another account runs the server where this is root's.
    folder.chmod(0o711)
    (folder / "home").mkdir(mode=0o711)
    shutil.copy(TOOLS / "shop.py", folder)
    env = {key: value for key, value in os.environ.items() if not key.endswith("DATABASE_URL")}
    env |= {"PGFLOW_HOME": str(folder / "home"), "TERM": "xterm-256color"}

    def run_pgflow(*words: str) -> str:
        return run_in_terminal([sys.executable, "-m", "pgflow_cli", *words], folder, env)

    output = folder / "output"
    with output.open("w") as file:
        command = [sys.executable, "-m", "pgflow_cli", "dev", "shop.py", "--port", "0"]
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file)
    try:
        while " serves " not in output.read_text():
            time.sleep(0.1)
        yield re.findall(r"http://[\w.:]+", output.read_text())[0], run_pgflow
    finally:
        process.terminate()
        process.wait()
        run_pgflow("db", "reset", "--yes")
        shutil.rmtree(folder)


def run_in_terminal(command: list[str], folder: Path, env: dict[str, str]) -> str:
    """Run a command as on a terminal, and return what it prints, colours and all."""
    ours, terminal = pty.openpty()
    subprocess.run(["stty", "cols", str(COLUMNS), "rows", "50"], stdin=terminal, check=True)
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    printed = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the command has ended
            break
        if not chunk:
            break
        printed += chunk
    process.wait()
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
