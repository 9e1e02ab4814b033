"""A stand-in for a language model's endpoint, which streams what is written down here."""

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS = {
    "What is a durable workflow?": "A program whose progress survives the machine it runs on.",
    "And in fewer words?": "Work that a crash cannot lose.",
}


class Handler(BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible endpoint does with `stream`."""

    def do_POST(self) -> None:
        """Stream the answer, a word at a time."""
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = ANSWERS[asked["messages"][-1]["content"]].split(" ")
        tokens = [words[0], *(f" {word}" for word in words[1:])]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for token in tokens:
            data = json.dumps({"choices": [{"delta": {"content": token}}]})
            self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def recorded_endpoint() -> Generator[None]:
    """Answer in place of a model, unless OPENAI_BASE_URL names one."""
    if os.environ.get("OPENAI_BASE_URL"):
        yield
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    os.environ["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        del os.environ["OPENAI_BASE_URL"]
        server.shutdown()
        thread.join()
        server.server_close()
