"""One small HTTP listener: /metrics, /health/live, /health/ready. GET and HEAD, one request per connection."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pykafkad.errors import ConfigError
from pykafkad.logs import log

HEADER_MAX = 8 * 1024
REQUEST_SECONDS = 10.0
CONNECTIONS_MAX = 64

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}
_REASONS[503] = "Service Unavailable"


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[], Awaitable[Answer]]


class Http:
    """The listener and its pages."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.address = ""  # host:port, once it listens

    async def start(self, listen: str) -> None:
        """Listen on host:port; ConfigError if that can't be."""
        host, _, port = listen.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        try:
            self._server = await asyncio.start_server(self._serve, host or None, int(port), limit=HEADER_MAX)
        except OSError as error:
            reason = "the port is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
            raise ConfigError(
                f"http.listen={listen}: {reason} (choose another, or set http.listen to nothing to go without)"
            ) from None
        bound = self._server.sockets[0].getsockname()
        self.address = f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for task in self._connections:
                task.cancel()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._exchange(reader, writer)
        except (TimeoutError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            head = b""
        words = head.split(b"\r\n", 1)[0].split()
        method = words[0] if words else b""
        if len(words) != 3 or not words[2].startswith(b"HTTP/"):
            answer = Answer(400, b"not an HTTP request\n")
        elif method not in (b"GET", b"HEAD"):
            answer = Answer(405, b"GET and HEAD only\n")
        else:
            answer = await self._page(words[1].split(b"?", 1)[0].decode("latin-1"))
        writer.write(
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n"
            f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
        )
        if method != b"HEAD":
            writer.write(answer.body)
        await writer.drain()

    async def _page(self, path: str) -> Answer:
        if path == "/":
            listed = "".join(f'<li><a href="{page}">{page}</a></li>' for page in self._pages)
            return Answer(200, f"<title>pykafkad</title><ul>{listed}</ul>".encode(), "text/html; charset=utf-8")
        page = self._pages.get(path.rstrip("/"))
        if page is None:
            return Answer(404, b"no such page\n")
        try:
            return await page()
        except Exception as error:
            log.error("a page failed", path=path, exc_info=error)
            return Answer(500, b"see the log\n")
