"""A way to a test's server that breaks where and when a test wants it to."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pgflow_cli.embedded import EmbeddedServer
from psycopg.conninfo import conninfo_to_dict

_NAME = re.compile(rb"application_name\0([^\0]*)\0")
_CHUNK = 65536


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens, once, to the first connection that meets it.

    Attributes:
        name: How the application_name of the connection begins.
        part: Whether it is met in what the program says or in what the server answers.
        after: How many bytes still pass. 0 of the answer: the server has done it, nobody knows.
        at: Which request of its connection it is, or the answer to which, counted from 1; None is
            whichever comes.
        do: Called when it is met, before anything else happens.
        then: Whether both ends are told ("cut"), or nothing ever arrives again ("silence").
        has_happened: Set when it has.
    """

    name: str
    part: Literal["request", "answer"]
    after: int = 0
    at: int | None = None
    do: Callable[[], object] = bool
    then: Literal["cut", "silence"] = "cut"
    has_happened: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False, slots=True)
class _Pair:
    """A connection through the proxy: both of its ends."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    name: str | None = None
    is_silent: bool = False
    requests: int = 0
    ends: list[asyncio.Task[None]] = field(default_factory=list)

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class Proxy:
    """Passes on what programs and the server say to each other, until it is told not to.

    Attributes:
        port: Where it listens at 127.0.0.1.
        opened: How many connections were tried.
        requests: How often the connections of each name asked for something.
    """

    def __init__(self, server: EmbeddedServer) -> None:
        to = conninfo_to_dict(server.url())
        self._to = f"{to['host']}/.s.PGSQL.{to['port']}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._pairs: list[_Pair] = []
        self._faults: list[Fault] = []
        self._is_refusing = False
        self._is_silent = False
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.opened = 0
        self.requests: Counter[str] = Counter()

    def url(self, database: str) -> str:
        """The URL of a database through it."""
        return (
            f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable&gssencmode=disable"
        )

    def arm(self, fault: Fault) -> Fault:
        """Have a fault wait for its connection."""
        self._do(lambda: self._faults.append(fault))
        return fault

    def disarm(self) -> None:
        """Forget the faults that have not happened."""
        self._do(self._faults.clear)

    def cut(self, name: str = "") -> int:
        """Cut now all connections whose name begins so, and return how many there were."""

        def cut() -> int:
            pairs = [pair for pair in self._pairs if (pair.name or "").startswith(name)]
            for pair in pairs:
                pair.cut()
            return len(pairs)

        return self._do(cut)

    def silence(self) -> None:
        """Let nothing through any more, on connections old and new, and tell nobody."""

        def silence() -> None:
            self._is_silent = True
            for pair in self._pairs:
                pair.is_silent = True

        self._do(silence)

    def refuse(self) -> None:
        """Cut whatever is open and whatever comes, as a server that is down does."""

        def refuse() -> None:
            self._is_refusing = True
            for pair in self._pairs:
                pair.cut()

        self._do(refuse)

    def heal(self) -> None:
        """Let new connections through again; what was silenced stays so."""

        def heal() -> None:
            self._is_silent = self._is_refusing = False

        self._do(heal)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

        async def listen() -> None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._listener.sockets[0].getsockname()[1]

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)

    def stop(self) -> None:
        """Cut everything and end."""

        async def end() -> None:
            if self._listener is not None:
                self._listener.close()
            for pair in self._pairs:
                pair.cut()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, function: Any) -> Any:
        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        if self._is_refusing:
            writer.transport.abort()
            return
        try:
            answers, server = await asyncio.open_unix_connection(self._to)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, server, is_silent=self._is_silent)
        self._pairs.append(pair)
        pair.ends = [
            asyncio.create_task(self._pump(pair, "request", reader, server)),
            asyncio.create_task(self._pump(pair, "answer", answers, writer)),
        ]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(pair.ends)
        pair.cut()
        self._pairs.remove(pair)

    async def _pump(
        self,
        pair: _Pair,
        part: Literal["request", "answer"],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if pair.name is None and (named := _NAME.search(data)):
                    pair.name = named[1].decode()
                if part == "request":
                    self.requests[pair.name or ""] += 1
                    pair.requests += 1
                fault = self._meet(pair, part)
                if fault is not None:
                    fault.do()
                    data = data[: fault.after]
                if data and not pair.is_silent:
                    writer.write(data)
                    await writer.drain()
                if fault is not None:
                    pair.is_silent = True
                    if fault.then == "cut":
                        pair.cut()
                    fault.has_happened.set()
        if not pair.is_silent:
            pair.cut()

    def _meet(self, pair: _Pair, part: Literal["request", "answer"]) -> Fault | None:
        for fault in self._faults:
            is_named = fault.part == part and (pair.name or "").startswith(fault.name)
            if is_named and fault.at in (None, pair.requests):
                self._faults.remove(fault)
                return fault
        return None


@contextmanager
def proxy(server: EmbeddedServer) -> Iterator[Proxy]:
    """Stand before a server while the block runs."""
    started = Proxy(server)
    started.start()
    try:
        yield started
    finally:
        started.stop()
