"""The flow drawn as text and as a picture."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree

from pgflow_cli.demo.flow import demo, sum_up_python
from pgflow_cli.demo.graph import draw_graph
from pgflow_cli.demo.layout import lay_out
from pgflow_cli.demo.picture import COLORS, draw_picture
from pgflow_cli.demo.state import StepView, all_done
from pgflow_dsl import Flow

SVG = "{http://www.w3.org/2000/svg}"


def test_the_graph_shows_every_edge_of_the_flow():
    assert [f"{line.before}o{line.after} {line.slug}" for line in draw_graph(demo)] == [
        "o             list_files",
        "├─o           read_file",
        "│ ├─o         total_up",
        "│ ├─│─o       rank_files",
        "╰─┴─│─│─o     sum_up_python",
        "    │ │ │ o   fetch_motto",
        "    ╰─┴─┴─┴─o write_report",
    ]


def test_lanes_join_cross_and_end():
    flow = Flow("f")
    loose = flow.step

    def one() -> int:
        return 1

    a = loose(slug="a")(one)
    b = loose(slug="b")(one)
    c = loose(slug="c", after=[a])(one)
    loose(slug="d", after=[a, b])(one)
    loose(slug="e", after=[b, c])(one)
    assert [line.before for line in draw_graph(flow)] == ["", "│ ", "├─│─", "╰─┼─│─", "  ╰─┴───"]


def test_layers_run_from_left_to_right_and_a_lone_root_stands_close_to_what_waits_for_it():
    layers = [
        {step.slug for step in layer if hasattr(step, "slug")} for layer in lay_out(demo).layers
    ]
    assert layers == [
        {"list_files"},
        {"read_file"},
        {"total_up", "rank_files", "sum_up_python", "fetch_motto"},
        {"write_report"},
    ]


def cards(svg: str) -> list[tuple[float, float, float, float, str]]:
    return [
        (
            *(float(card.attrib[name]) for name in ("x", "y", "width", "height")),
            card.attrib["fill"],
        )
        for card in ElementTree.fromstring(svg).iter(f"{SVG}rect")
    ]


def test_no_two_cards_of_the_picture_overlap_and_all_are_inside():
    svg = draw_picture(demo, all_done(demo))
    stacked = next(step for step in demo.steps if step.kind == "map")
    drawn = cards(svg)
    assert len(drawn) == len(demo.steps) + 1, f"a card a step, and one behind {stacked.slug}"
    width, height = (float(n) for n in re.findall(r"\d+", svg.split('viewBox="0 0')[1])[:2])
    for x, y, wide, high, _ in drawn:
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height
    apart = [
        a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
        for a, b in combinations(drawn, 2)
    ]
    assert apart.count(False) == 1, "only the cards of the map's stack touch"


def test_steps_are_coloured_by_how_they_are_doing():
    steps = all_done(demo, skipped=[sum_up_python])
    steps["write_report"] = replace(
        steps["write_report"], standing="failed", error_message="no <space>\nleft"
    )
    svg = draw_picture(demo, steps)
    fills = [fill for *_, fill in cards(svg)]
    assert fills.count(COLORS["done"][0]) == 6
    assert fills.count(COLORS["skipped"][0]) == 1
    assert fills.count(COLORS["failed"][0]) == 1
    assert "failed · no &lt;space&gt; left" in svg


def test_a_done_step_says_how_long_it_took_and_how_often_it_was_tried_again():
    began = datetime(2026, 1, 1, tzinfo=UTC)
    steps = all_done(demo)
    steps["fetch_motto"] = StepView(
        slug="fetch_motto",
        standing="done",
        failed_attempts=1,
        started_at=began,
        ended_at=began + timedelta(seconds=1.5),
    )
    assert "done · 1.50 s, 1 retry" in draw_picture(demo, steps)
