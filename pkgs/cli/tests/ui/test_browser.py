"""The dashboard in a real Chromium, as people use it. What they see is kept in artefacts/."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from pgflow_dsl import Flow
from psycopg.types.json import Jsonb

from .browser import SHOP, developing, keep, require_browser
from .conftest import Flows, OpenSite, Site

# What takes seconds of a browser is the same on every interpreter.
pytestmark = pytest.mark.slow

PATIENCE = 30_000
# In every field that anybody may write to.
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    "\"'`${window.hacked=1}{{window.hacked=1}}</textarea></title>"
)

OpenPage = Callable[..., Any]


# Not longer than the module: while it is there an event loop runs, and others need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = require_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Open pages; what a page complains of in its console fails the test."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def open_one(width: int = 1360, height: int = 900, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" else None,
        )
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def shop(pgflow: Any) -> Iterator[str]:
    """The address of a dashboard that `pgflow dev` serves, with a worker behind it."""
    (pgflow.folder / "shop.py").write_text(SHOP)
    with developing(pgflow, "shop.py", "--database-url", pgflow.env["PGFLOW_DATABASE_URL"]) as base:
        yield base


def start_order(page: Any, base: str, number: int, items: list[str]) -> None:
    page.goto(f"{base}/flows/order")
    page.get_by_label("number").fill(str(number))
    for index, item in enumerate(items):
        page.get_by_role("button", name="one more" if index else "add one").click()
        page.get_by_label(str(index), exact=True).fill(item)
    page.get_by_role("button", name="Start a run").click()
    page.wait_for_url("**/runs/*")


def see_status(page: Any, status: str) -> None:
    page.locator(f".run-head .status.is-{status}").wait_for()


def test_a_run_is_started_from_the_form_and_goes_live_to_its_end(
    shop: str, open_page: OpenPage, pgflow: Any
):
    page = open_page()
    start_order(page, shop, 7, ["cup", "plate", "book"])

    page.locator(".dag-step.is-started", has_text="reserve").wait_for()
    (pgflow.folder / "may_reserve").touch()
    page.locator(".dag-step.is-started", has_text="pack").wait_for()
    page.locator(".dag-caption", has_text="1 of 3").wait_for()
    page.screenshot(path=keep("run-live.png"), full_page=True)
    page.locator(".stream-text", has_text="thank you very much").wait_for()
    (pgflow.folder / "may_pack").touch()
    see_status(page, "completed")
    assert page.locator(".dag-step.is-completed").count() == 4
    assert page.locator(".dag-step.is-skipped", has_text="wrap").count() == 1
    page.locator(".panel", has_text="Output").get_by_text("box of plate").first.wait_for()
    page.screenshot(path=keep("run-completed.png"), full_page=True)

    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.locator(".runs tbody tr", has_text="completed").wait_for()


def test_a_failure_is_seen_and_mended_by_a_retry(shop: str, open_page: OpenPage, pgflow: Any):
    for name in ("may_reserve", "may_pack"):
        (pgflow.folder / name).touch()
    page = open_page()
    start_order(page, shop, 8, ["cup", "gone"])
    see_status(page, "failed")
    page.get_by_role("alert").get_by_text("out of stock").wait_for()
    page.locator(".dag-step.is-failed", has_text="pack").click()
    page.get_by_text("Attempt 2", exact=True).wait_for()
    page.locator(".failures summary").first.click()
    page.locator(".failures pre", has_text="RuntimeError").first.wait_for()
    page.screenshot(path=keep("run-failed.png"), full_page=True)

    (pgflow.folder / "in_stock").touch()
    page.get_by_role("button", name="Retry", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Retry the run").click()
    see_status(page, "completed")
    page.get_by_text("The run goes on").wait_for()

    (pgflow.folder / "may_reserve").unlink()
    page.get_by_role("button", name="Restart from…").click()
    page.get_by_role("dialog").get_by_label("Step").select_option("reserve")
    page.get_by_role("dialog").get_by_role("button", name="Restart from a step").click()
    see_status(page, "started")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_label("Reason").fill("seen enough")
    page.get_by_role("button", name="Cancel the run").click()
    see_status(page, "cancelled")
    page.get_by_role("alert").get_by_text("seen enough").wait_for()


def test_what_is_typed_wrongly_is_told_beside_the_field(shop: str, open_page: OpenPage):
    page = open_page()
    page.goto(f"{shop}/flows/order")
    page.get_by_label("number").fill("many")
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("number is not a whole number").wait_for()
    page.get_by_label("number").fill("12345678901234567890")
    page.get_by_role("button", name="As JSON").click()
    text = page.get_by_label("Input as JSON")
    text.fill('{"number": }')
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("The input is not JSON").wait_for()
    assert page.url.endswith("/flows/order")


@pytest.fixture
def hostile(flows: Flows, conn: psycopg.Connection[Any]) -> str:
    """A run, a flow and a worker with something hostile in every field; the run's id."""
    conn.execute(
        "select pgflow.create_flow('trap')",
    )
    conn.execute("select pgflow.add_step('trap', 'first')")
    conn.execute("select pgflow.add_step('trap', 'each', array['first'], step_type => 'map')")
    schema = {
        "type": "object",
        "title": HOSTILE,
        "description": HOSTILE,
        "required": [HOSTILE],
        "properties": {
            HOSTILE: {"type": "string", "default": HOSTILE, "description": HOSTILE},
            "choice": {"enum": [HOSTILE], "title": HOSTILE},
            "list": {"type": "array", "items": {"const": HOSTILE}, "default": [HOSTILE]},
            "kind": {"anyOf": [{"type": "string", "title": HOSTILE}, {"type": "null"}]},
        },
    }
    conn.execute("update pgflow.flows set input_schema = %s", (Jsonb(schema),))
    conn.execute(
        """
        update pgflow.steps set required_input_pattern = %s, output_schema = %s
        where step_slug = 'each'
        """,
        (Jsonb({HOSTILE: [HOSTILE]}), Jsonb({"title": HOSTILE})),
    )
    run_id = flows.start("trap", {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE, "plain": HOSTILE})
    conn.execute("update pgflow.steps set required_input_pattern = null")
    flows.claim("trap")
    conn.execute(
        """
        select pgflow.append_to_streams(
          array[%s]::uuid[], array['first'], array[0], array[1], array[1], array[%s]
        )
        """,
        (run_id, Jsonb([HOSTILE, {HOSTILE: HOSTILE}])),
    )
    flows.complete(run_id, "first", [HOSTILE, {HOSTILE: HOSTILE}])
    flows.claim("trap")
    conn.execute(
        """
        select pgflow.fail_tasks(
          array[%s]::uuid[], array['each'], array[0], array[%s], array[null::int], array[true],
          array[null::int], array[%s], array[%s]
        )
        """,
        (run_id, HOSTILE, HOSTILE, HOSTILE),
    )
    conn.execute("update pgflow.workers set function_name = %s", (HOSTILE,))
    return run_id


def test_a_hostile_text_in_every_field_shows_as_text(
    open_site: OpenSite, open_page: OpenPage, hostile: str, conn: psycopg.Connection[Any], db: str
):
    site = open_site(may_act=True)
    page = open_page()

    def see(path: str, *selectors: str) -> None:
        page.goto(site.base + path)
        for selector in selectors:
            page.locator(selector).first.wait_for()
        assert "onerror=" in page.locator("main").inner_text()
        check()

    def check() -> None:
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script").count() == 0

    see("/flows/trap", ".form", ".runs tbody tr")
    see("/runs", ".runs tbody tr")
    see(f"/runs/{hostile}", ".dag-step", ".stream-items", ".events li")
    page.locator(".dag-step", has_text="each").click()
    page.locator(".failures").wait_for()
    page.locator(".failures summary").click()
    check()
    page.get_by_role("button", name="Tasks", exact=True).click()
    page.locator(".task summary").first.click()
    check()
    page.locator(".dag-step", has_text="first").click()
    page.get_by_role("button", name="As a list").click()
    check()
    page.screenshot(path=keep("hostile.png"), full_page=True)
    with psycopg.connect(db, application_name=HOSTILE[:60]) as idle:
        idle.execute("select 1")
        see("/workers", ".worker")


def test_a_tag_and_an_address_made_by_a_stranger_are_text_too(site: Site, open_page: OpenPage):
    page = open_page()
    # No slug has a slash, and an address with more of them is none of a flow.
    page.goto(f"{site.base}/flows/{quote(HOSTILE.replace('/', ''), safe='')}")
    page.get_by_text("There is no such flow").wait_for()
    assert "onerror=" in page.locator("h1").inner_text()
    page.goto(f"{site.base}/runs?tag={quote('a=' + HOSTILE, safe='')}&flow={quote(HOSTILE)}")
    page.get_by_text("No runs match").wait_for()
    assert page.evaluate("window.hacked") is None


def test_viewers_see_changes_beside_fifty_others(site: Site, flows: Flows, open_page: OpenPage):
    run_id = flows.start("greet", "Ada")
    streams = [site.follow(f"/api/live/runs/{run_id}") for _ in range(50)]
    for stream in streams:
        next(stream)
    page = open_page()
    page.goto(f"{site.base}/runs/{run_id}")
    see_status(page, "started")
    flows.claim("greet")
    flows.complete(run_id, "hello", "hi")
    see_status(page, "completed")
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("device", "width", "height"), [("phone", 390, 844), ("desktop", 1360, 900)]
)
def test_no_page_is_wider_than_the_screen(
    site: Site,
    flows: Flows,
    hostile: str,
    open_page: OpenPage,
    scheme: str,
    device: str,
    width: int,
    height: int,
):
    page = open_page(width, height, scheme)
    for name, path, selector in (
        ("flows", "/flows", ".flow-card"),
        ("flow", "/flows/trap", ".dag-step"),
        ("runs", "/runs", ".runs tbody tr"),
        ("run", f"/runs/{hostile}", ".dag-step"),
        ("workers", "/workers", ".worker"),
    ):
        page.goto(site.base + path)
        page.locator(selector).first.wait_for()
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), path
        page.screenshot(path=keep(f"{name}-{device}-{scheme}.png"), full_page=True)


def test_a_flow_of_a_thousand_steps_is_drawn_and_its_timeline_unfolds(
    site: Site, flows: Flows, open_page: OpenPage
):
    wide = Flow("wide", input=int)
    for index in range(1000):
        wide.step(slug=f"step_{index}").add(abs_of, wide.input)
    flows.define(wide)
    run_id = flows.start("wide", 1)
    page = open_page(390, 844)
    page.goto(f"{site.base}/runs/{run_id}")
    page.locator(".dag-step").first.wait_for()
    assert page.locator(".dag-step").count() == 1000
    # What is under way is told, and no more of them than people read.
    assert page.locator(".time-step").count() == 120
    page.get_by_role("button", name="All 1,000 steps").click()
    page.get_by_role("button", name="Fewer steps").wait_for()
    assert page.locator(".time-step").count() == 1000


def abs_of(number: int) -> int:
    return abs(number)


def test_names_of_any_length_stay_where_they_belong(site: Site, flows: Flows, open_page: OpenPage):
    name = "n" * 120
    long = Flow(name, input=int)
    long.step(slug="s" * 120).add(abs_of, long.input)
    flows.define(long)
    run_id = flows.start(name, 1)
    flows.claim(name)
    page = open_page()
    page.goto(f"{site.base}/workers")
    card = page.locator(".worker")
    inner, outer = card.locator(".tag").bounding_box(), card.bounding_box()
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    page.goto(f"{site.base}/runs/{run_id}")
    step = page.locator(".dag-step")
    text, box = step.locator(".dag-name").bounding_box(), step.locator(".dag-box").bounding_box()
    assert text["x"] + text["width"] <= box["x"] + box["width"]


def test_steps_are_reached_and_opened_with_keys_alone(
    site: Site, flows: Flows, open_page: OpenPage
):
    run_id = flows.start("greet", "Ada")
    page = open_page()
    page.goto(f"{site.base}/runs/{run_id}")
    page.locator(".dag-step").wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('dag-step')"):
            break
    page.keyboard.press("Enter")
    page.locator(".step-panel").wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/workers")


def test_the_token_is_asked_for_and_lets_in(open_site: OpenSite, open_page: OpenPage, flows: Flows):
    site = open_site(token="chosen by hand")
    page = open_page()
    page.goto(f"{site.base}/runs")
    page.get_by_label("Token").fill("chosen by hand")
    page.get_by_role("button", name="Open").click()
    page.locator(".flow-card").wait_for()
