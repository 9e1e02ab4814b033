"""A stand-in for a website and for a language model, which answer what is written down here."""

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = """<!doctype html>
<html><head><title>The lighthouse &amp; the keeper</title><style>p { color: teal }</style></head>
<body><p>For sixty years the lighthouse of Skerry stood without a keeper.</p>
<p>This autumn Ada Holm moved in, and lights it by hand every evening.</p></body></html>
"""
ANSWERS = {
    "Summarise": "After sixty years the lighthouse of Skerry has a keeper again.",
    "Answer": '["lighthouse", "people", "sea"]',
}


class Handler(BaseHTTPRequestHandler):
    """Serves the page, and answers as an OpenAI-compatible endpoint does."""

    def do_GET(self) -> None:
        """Serve the page."""
        self.reply("text/html; charset=utf-8", PAGE)

    def do_POST(self) -> None:
        """Answer by the first word of the task."""
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = ANSWERS[asked["messages"][0]["content"].split()[0]]
        message = {"role": "assistant", "content": answer}
        self.reply("application/json", json.dumps({"choices": [{"message": message}]}))

    def reply(self, kind: str, text: str) -> None:
        """Send a text."""
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def recorded_web() -> Generator[str]:
    """Serve a page, and answer in place of a model unless OPENAI_BASE_URL names one.

    Yields:
        The URL of the page; the one that PAGE_URL names where it does.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    here = f"http://127.0.0.1:{server.server_port}"
    is_recorded = not os.environ.get("OPENAI_BASE_URL")
    if is_recorded:
        os.environ["OPENAI_BASE_URL"] = here
    try:
        yield os.environ.get("PAGE_URL", f"{here}/lighthouse")
    finally:
        if is_recorded:
            del os.environ["OPENAI_BASE_URL"]
        server.shutdown()
        thread.join()
        server.server_close()
