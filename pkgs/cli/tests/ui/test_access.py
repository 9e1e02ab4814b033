"""Whom the dashboard lets look, and whom act: no stranger, and no page of a stranger."""

import socket

import pytest
from pgflow_cli.errors import AddressTaken

from .conftest import Flows, OpenSite, Site

START = "/api/flows/greet/runs"
PATHS = ("/", "/api/about", "/api/runs", "/api/live/flows", "/assets/js/main.js")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_that_came_by_another_name_reads_nothing(site: Site, path: str):
    for host in ("evil.example", f"evil.example:{site.port}", "127.0.0.1.evil.example", ""):
        assert site.ask(path, host=host).status == 421


def test_the_names_of_this_machine_are_known(site: Site):
    for host in (f"127.0.0.1:{site.port}", f"localhost:{site.port}", f"LOCALHOST.:{site.port}"):
        assert site.ask("/api/about", host=host).status == 200


def test_another_sites_page_reads_no_data(site: Site):
    for relation in ("cross-site", "same-site"):
        assert site.ask("/api/about", sec_fetch_site=relation).status == 403
    # A link to a page is no harm.
    assert site.ask("/runs", sec_fetch_site="cross-site").status == 200


def test_only_a_dashboard_that_may_act_acts(open_site: OpenSite, flows: Flows):
    refused = open_site().act(START, {"input": '"x"'})
    assert refused.status == 403
    assert "--allow-actions" in refused.value["error"]["message"]
    assert open_site(may_act=True).act(START, {"input": '"x"'}).status == 201
    runs = flows.conn.execute("select count(*) from pgflow.runs").fetchone()
    assert runs == (1,)


def test_an_action_comes_from_the_dashboards_own_page(open_site: OpenSite, flows: Flows):
    site = open_site(may_act=True)
    body = {"input": '"x"'}
    assert site.act(START, body, origin="https://evil.example").status == 403
    assert site.act(START, body, origin="null").status == 403
    assert site.act(START, body, origin=f"http://127.0.0.1:{site.port + 1}").status == 403
    assert site.act(START, body, sec_fetch_site="cross-site").status == 403
    assert site.act(START, body, host="evil.example").status == 421
    json_type = {"content_type": "application/json"}
    assert site.ask(START, "POST", body, **json_type).status == 403
    # What a form of another page may send without asking.
    assert site.act(START, body, content_type="text/plain").status == 400
    assert site.ask(START).status == 404
    assert flows.conn.execute("select count(*) from pgflow.runs").fetchone() == (0,)
    # A program that is no browser sends no origin.
    program = site.ask(START, "POST", body, **json_type, x_pgflow_action="1")
    assert program.status == 201


def test_where_others_can_reach_it_everybody_shows_the_token(open_site: OpenSite):
    site = open_site(host="0.0.0.0")
    token = site.opened.address.partition("token=")[2]
    assert len(token) >= 32
    for path in ("/api/about", "/api/live/flows", "/api/runs"):
        assert site.ask(path).status == 401
        assert site.ask(path, authorization="Bearer wrong").status == 401
        assert site.ask(path, cookie=f"pgflow_{site.port}={token}").status == 401
    assert site.ask("/").headers["location"] == "/login"
    assert site.ask("/api/about", authorization=f"Bearer {token}").status == 200
    # Nobody knows all names of this machine; the token is what keeps strangers out.
    named = site.ask("/api/about", host="box.example", authorization=f"Bearer {token}")
    assert named.status == 200


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(open_site: OpenSite):
    site = open_site(token="chosen by hand")
    assert site.ask("/login").status == 200
    wrong = site.ask("/login", "POST", "token=guess")
    assert wrong.status == 403
    assert "set-cookie" not in wrong.headers
    for shown in (
        site.ask("/login?token=chosen%20by%20hand"),
        site.ask("/login", "POST", "token=chosen+by+hand"),
    ):
        assert (shown.status, shown.headers["location"]) == (303, "/")
        cookie = shown.headers["set-cookie"]
        assert {"httponly", "samesite=strict"} <= {
            part.strip().lower() for part in cookie.split(";")
        }
        assert "chosen" not in cookie
        assert site.ask("/api/about", cookie=cookie.split(";")[0]).status == 200


def test_a_name_that_it_may_be_called_by_takes_a_token(open_site: OpenSite):
    site = open_site(names=("Flows.Example",))
    token = site.opened.address.partition("token=")[2]
    bearer = {"authorization": f"Bearer {token}"}
    assert site.ask("/api/about", host="flows.example").status == 401
    assert site.ask("/api/about", host="flows.example", **bearer).status == 200
    assert site.ask("/api/about", host="evil.example", **bearer).status == 421


@pytest.mark.parametrize("path", PATHS[:3])
def test_each_answer_tells_the_browser_to_run_nothing_else(site: Site, path: str):
    headers = site.ask(path).headers
    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_no_path_leads_out_of_the_assets(site: Site):
    for path in ("/assets/../app.py", "/assets/%2e%2e/app.py", "/assets/..%2fapp.py"):
        assert site.ask(path).status == 404


def test_a_port_that_is_taken_is_told_and_the_usual_one_gives_way(open_site: OpenSite):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken, match=str(port)):
            open_site(port=port)
    first, second = open_site(port=None), open_site(port=None)
    assert first.port != second.port
