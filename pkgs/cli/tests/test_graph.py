"""Flows as pictures and as text."""

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from pgflow_cli.graph import graph_of_code, graph_of_definition
from pgflow_cli.graph.svg import draw_png, draw_svg
from pgflow_cli.graph.texts import draw_dot, draw_mermaid, draw_text
from pgflow_client import Client
from pgflow_dsl import Flow, compile_flow

from .conftest import Command

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shop() -> Flow[list[int]]:
    """A map, a condition, a step that may be skipped, and an edge that only orders."""
    flow = Flow("shop", input=list[int])

    @flow.map(over=flow.input)
    def pack(item: int) -> int:
        return item

    @flow.step(when={pack: [1]})
    def wrap(items: list[int] = pack.output) -> str:
        return "bow"

    @flow.step(when_exhausted="skip")
    def card(items: list[int] = flow.input) -> str:
        return "card"

    @flow.step(after=[card])
    def ship(items: list[int] = pack.output, bow: str | None = wrap.output) -> str:
        return "gone"

    return flow


def test_text_draws_a_line_for_each_step_and_says_what_is_special(shop: Flow[Any]):
    lines = draw_text(graph_of_code(shop)).splitlines()
    assert [line.split()[-1] for line in lines if "(" not in line] == ["ship"]
    assert "pack  (map)" in lines[0]
    assert "wrap  (on a condition)" in lines[1]
    assert "card  (skipped if it fails)" in lines[2]
    assert "╰" in lines[3]


def test_mermaid_and_dot_name_steps_and_edges(shop: Flow[Any]):
    mermaid = draw_mermaid(graph_of_code(shop))
    assert 's0[["pack"]]' in mermaid
    assert "s0 --> s3" in mermaid
    assert "s2 -.-> s3" in mermaid
    dot = draw_dot(graph_of_code(shop))
    assert dot.startswith('digraph "shop" {')
    assert '"card" -> "ship" [style=dashed]' in dot
    assert '"pack" [label="pack", peripheries=2]' in dot


def test_a_picture_holds_every_step_apart_from_the_others(shop: Flow[Any]):
    root = ElementTree.fromstring(draw_svg(graph_of_code(shop)))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"pack", "wrap", "card", "ship", "if", "»"} == set(texts)
    edges = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(edges) == 4
    assert sum(path.get("stroke-dasharray") is not None for path in edges) == 1
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    places = {(rect.get("x"), rect.get("y")) for rect in root.iter(f"{SVG}rect")}
    assert len(places) == len(list(root.iter(f"{SVG}rect")))
    assert width > 300
    assert height > 60


def test_a_picture_is_the_same_each_time_and_can_be_pixels(shop: Flow[Any]):
    assert draw_svg(graph_of_code(shop)) == draw_svg(graph_of_code(shop))
    assert draw_png(graph_of_code(shop)).startswith(b"\x89PNG")


def test_a_flow_without_steps_is_an_empty_picture():
    empty = graph_of_code(Flow("empty", input=int))
    assert draw_text(empty) == ""
    ElementTree.fromstring(draw_svg(empty))


def test_a_database_and_code_give_the_same_picture(shop: Flow[Any], conn: Any, db: str):
    conn.execute(compile_flow(shop).encode())
    with Client(db) as client:
        known = graph_of_definition(client.get_flow("shop"))
    coded = graph_of_code(shop)
    assert {node.slug: set(node.dependencies) for node in known.nodes} == {
        node.slug: set(node.dependencies) for node in coded.nodes
    }
    for one, other in zip(known.nodes, coded.nodes, strict=True):
        assert (one.is_map, one.only_after, one.is_conditional, one.may_skip) == (
            other.is_map,
            other.only_after,
            other.is_conditional,
            other.may_skip,
        )


def test_the_command_draws_into_a_file_what_its_name_says(pgflow: Command):
    assert "plus_one" in pgflow("graph", "flows:add").out
    assert pgflow("graph", "flows:fan", "--out", "fan.svg").code == 0
    drawn = json.loads(pgflow("graph", "flows:fan", "--json").out)
    assert drawn == json.loads(pgflow("graph", "flows:fan", "--format", "json").out)
    assert (drawn["slug"], drawn["nodes"][0]["dependencies"]) == ("fan", [])
    assert (pgflow.folder / "fan.svg").read_text().startswith("<svg")
    missing = pgflow("graph", "nothing")
    assert missing.code == 1
    assert "nothing" in missing.err
