"""Makes the moving picture of the demo: `uv run python website/tools/demo_picture.py`.

It runs `pgflow demo` on this repository in a terminal of its own, notes what that shows and when,
and writes one SVG, whose frames are switched by its own style sheet. It needs nothing but pgflow.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from html import escape
from itertools import pairwise
from pathlib import Path

from rich.color import Color
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "website/docs/images/demo.svg"
COLUMNS, ROWS = 92, 30
WIDTH, HEIGHT, MARGIN = 7.8, 17, 14
COMMAND = "pgflow demo"
# What is done to the place of the cursor, or to its line; colours are kept with the text.
CONTROL = re.compile(r"\x1b\[\??(\d*)([ABCDGJKhl])|(\r|\n)|((?:\x1b\[[\d;]*m|[^\x1b\r\n])+)")
# Seconds: no two frames are closer, the first is shown so long, and the last one.
STEP, TYPING, REST = 0.1, 1.0, 6.0

Frame = tuple[float, tuple[str, ...]]


class Screen:
    """As much of a terminal as the demo asks for: whole lines, up, down and clear."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self.row = 0

    def write(self, text: str) -> None:
        """Do what is written."""
        for count, what, turn, words in CONTROL.findall(text):
            if turn == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif what == "A":
                self.row = max(self.row - int(count or 1), 0)
            elif what in ("K", "J"):
                self.lines[self.row] = ""
                if what == "J":
                    del self.lines[self.row + 1 :]
            elif words:
                self.lines[self.row] += words

    def shown(self) -> tuple[str, ...]:
        """Return the lines that are in sight."""
        return tuple(self.lines[-ROWS:])


def main() -> None:
    """Run the demo, and draw it."""
    PICTURE.write_text(draw(thinned(watch())) + "\n")


def watch() -> list[Frame]:
    """Run the demo on a copy of the sources, and return what it showed when."""
    folder = Path(tempfile.mkdtemp(prefix="pgflow-demo-"))
    # Another account runs the server where this is root's.
    folder.chmod(0o711)
    shutil.copytree(ROOT / "pkgs", folder / "pgflow", ignore=shutil.ignore_patterns(".*", "__*"))
    (folder / ".pgflow").mkdir(mode=0o711)
    env = {key: value for key, value in os.environ.items() if not key.endswith("DATABASE_URL")}
    env |= {"PGFLOW_HOME": str(folder / ".pgflow"), "TERM": "xterm-256color"}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}
    try:
        # The server is there already, as it is for whoever runs it a second time.
        subprocess.run(["pgflow", "db", "start"], cwd=folder, env=env, check=True)
        return frames_of(["pgflow", "demo", "pgflow"], folder, env)
    finally:
        subprocess.run(["pgflow", "db", "reset", "--yes"], cwd=folder, env=env, check=False)
        shutil.rmtree(folder)


def frames_of(command: list[str], folder: Path, env: dict[str, str]) -> list[Frame]:
    """Run a command on a terminal, and return what is to be seen after each of its writes."""
    ours, terminal = pty.openpty()
    size = ["stty", "cols", str(COLUMNS), "rows", str(ROWS + 20)]
    subprocess.run(size, stdin=terminal, check=True)
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    screen, frames, begin = Screen(), list[Frame](), time.monotonic()
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the command has ended
            break
        screen.write(without_places(chunk.decode(errors="replace"), folder))
        frames.append((time.monotonic() - begin, screen.shown()))
    process.wait()
    os.close(ours)
    return frames


def without_places(text: str, folder: Path) -> str:
    """Return what is shown without where this machine keeps its things."""
    binaries = f"{Path(sys.executable).parent}{os.sep}"
    for place, name in ((binaries, ""), (f"{ROOT}/pkgs/cli/src/", ""), (str(folder), "~")):
        text = text.replace(place, name)
    return text


def thinned(frames: list[Frame]) -> list[Frame]:
    """Return one frame a step at most, the last one always, after one of the command alone."""
    kept: list[Frame] = []
    for at, lines in frames:
        if kept and at - kept[-1][0] < STEP:
            kept[-1] = (kept[-1][0], lines)
        elif not kept or kept[-1][1] != lines:
            kept.append((at, lines))
    first = kept[0][0]
    return [(0.0, ()), *((at - first + TYPING, lines) for at, lines in kept)]


def draw(frames: list[Frame]) -> str:
    """Draw the frames into one picture; who wants no motion sees the last."""
    total = frames[-1][0] + REST
    rows = max(len(lines) for _, lines in frames) + 1
    width, height = COLUMNS * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    style = [f"g.f{{visibility:hidden;animation-duration:{total:.2f}s;animation-timing-function:"]
    style += ["step-end;animation-iteration-count:infinite}"]
    body: list[str] = []
    for number, (at, lines) in enumerate(frames):
        end = frames[number + 1][0] if number + 1 < len(frames) else total
        begin, until = (f"{100 * moment / total:.2f}%" for moment in (at, end))
        style.append(f"@keyframes k{number}{{0%{{visibility:hidden}}{begin}{{visibility:visible}}")
        style.append(f"{until}{{visibility:hidden}}}}#f{number}{{animation-name:k{number}}}")
        body.append(f'<g class="f" id="f{number}">{text_of(lines)}</g>')
    last = f"#f{len(frames) - 1}"
    style.append(
        f"@media(prefers-reduced-motion){{g.f{{animation:none}}{last}{{visibility:visible}}}}"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
            'role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">',
            f"<title>What {COMMAND} shows</title><style>{''.join(style)}</style>",
            f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#1d2330"/>',
            line(0, Text(f"$ {COMMAND}")),
            *body,
            "</svg>",
        ]
    )


def text_of(lines: tuple[str, ...]) -> str:
    """Draw the lines of a frame, below the command."""
    return "".join(line(row, Text.from_ansi(each)) for row, each in enumerate(lines, 1) if each)


def line(row: int, text: Text) -> str:
    """Draw a line, in pieces of one style each."""
    plain, spans = text.plain, []
    edges = sorted(
        {0, len(plain), *(edge for span in text.spans for edge in (span.start, span.end))}
    )
    for start, end in pairwise(edges):
        words = plain[start:end]
        if words.strip():
            style = Style()
            for span in text.spans:
                if isinstance(span.style, Style) and span.start <= start < span.end:
                    style += span.style
            fill = colour_of(style.color)
            weight = ' font-weight="bold"' if style.bold else ""
            dim = ' opacity="0.65"' if style.dim else ""
            spans.append(
                f'<tspan x="{MARGIN + start * WIDTH:.1f}" fill="{fill}"{weight}{dim} '
                f'textLength="{len(words) * WIDTH:.1f}">{escape(words)}</tspan>'
            )
    place = MARGIN + row * HEIGHT + 13
    return f'<text y="{place}" xml:space="preserve">{"".join(spans)}</text>' if spans else ""


def colour_of(colour: Color | None) -> str:
    """Return a colour as pictures have it."""
    if colour is None or colour.is_default:
        return "#d7dce5"
    return colour.get_truecolor(MONOKAI).hex


if __name__ == "__main__":
    main()
