"""The example applications, used by browsers that speak HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx


def told(browser: httpx.Client, path: str, last_id: str | None = None) -> Iterator[Any]:
    """Watch a run: the id, the name and the data of each event, as they come."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with browser.stream("GET", path, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event: dict[str, str] = {}
        for line in response.iter_lines():
            key, _, value = line.partition(": ")
            if value:
                event[key] = value
            elif "event" in event:
                yield event["id"], event["event"], json.loads(event["data"])
                event = {}


def test_questions_are_answered_word_by_word_to_who_asked_or_called_off(serve: Any):
    with serve("fastapi") as browser:
        question = {"text": "What is a durable workflow?", "seconds_a_word": 0.01}
        assert browser.post("/runs", json=question).status_code == 401
        browser.cookies.set("user", "ada")
        asked = browser.post("/runs", json=question)
        assert asked.status_code == 201
        path = f"/runs/{asked.json()['run_id']}"

        events = list(told(browser, f"{path}/events"))

        assert [name for _, name, _ in events if name != "item"] == [
            "run_started",
            "step_started",
            "step_completed",
            "step_started",
            "step_completed",
            "run_ended",
        ]
        written = "".join(data["value"] for _, name, data in events if name == "item")
        reply = {"status": "completed", "answer": written}
        assert "durable, what, workflow" in written
        assert browser.get(path).json() == reply
        # Who reloads in mid-sentence goes on there, and who has it all is told to stay away.
        assert list(told(browser, f"{path}/events", events[6][0])) == events[7:]
        over = browser.get(f"{path}/events", headers={"Last-Event-ID": events[-1][0]})
        assert over.status_code == 204
        browser.cookies.set("user", "eve")
        assert browser.get(path).status_code == 404
        assert browser.get(f"{path}/events").status_code == 403

        browser.cookies.set("user", "ada")
        asked = browser.post("/runs", json={"text": "For how long?", "seconds_a_word": 0.5})
        path = f"/runs/{asked.json()['run_id']}"

        words = []
        for _, name, data in told(browser, f"{path}/events"):
            if name == "item":
                words.append(data["value"])
                if len(words) == 2:
                    assert browser.delete(path).status_code == 204

        assert (name, data["status"]) == ("run_ended", "cancelled")
        assert data["error_message"] == "the user called it off"
        assert "".join(words).startswith("You asked")
        assert "written down" not in "".join(words)
        assert browser.get(path).json() == {"status": "cancelled", "answer": None}


def test_orders_are_packed_piece_by_piece_before_their_customer_or_cancelled(serve: Any):
    lines = [{"product": "hat", "pieces": 2}, {"product": "shoe", "pieces": 3}]
    with serve("django") as browser:
        order = {"lines": lines, "seconds_a_piece": 0.01}
        assert browser.post("/orders", json=order).status_code == 401
        browser.post("/sign-in", json={"name": "ada"})
        placed = browser.post("/orders", json=order)
        assert placed.status_code == 201
        path = f"/orders/{placed.json()['number']}"

        events = list(told(browser, f"{path}/events"))

        assert events[-1][1:] == ("run_ended", events[-1][2] | {"status": "completed"})
        for index, line in enumerate(lines):
            pieces = [
                data["value"]
                for _, name, data in events
                if name == "item" and data["task_index"] == index
            ]
            count = line["pieces"]
            assert pieces == [f"{line['product']}: {n} of {count}" for n in range(1, count + 1)]
        shipped = {"status": "completed", "shipped": "shipped: 2 x hat, 3 x shoe"}
        assert browser.get(path).json() == shipped
        # How a map comes along is told to who watches; who comes later is told how it ended.
        rest = [each[1:] for each in events[5:] if each[1] != "map_progressed"]
        later = told(browser, f"{path}/events", events[4][0])
        assert [each[1:] for each in later] == rest
        assert browser.post("/orders", json={"lines": "hats"}).status_code == 400
        browser.post("/sign-in", json={"name": "eve"})
        for mine in (path, f"{path}/events"):
            assert browser.get(mine).status_code == 404
        assert browser.post(f"{path}/cancel").status_code == 404

        browser.post("/sign-in", json={"name": "ada"})
        order = {"lines": [{"product": "hat", "pieces": 500}], "seconds_a_piece": 0.05}
        path = f"/orders/{browser.post('/orders', json=order).json()['number']}"

        for _, name, data in told(browser, f"{path}/events"):
            if name == "item" and data["value"].startswith("hat: 3 "):
                assert browser.post(f"{path}/cancel").status_code == 204

        assert (name, data["status"]) == ("run_ended", "cancelled")
        assert browser.get(path).json() == {"status": "cancelled", "shipped": None}
