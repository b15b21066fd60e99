"""The small HTTP listener: what it answers, and what it doesn't put up with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from pykafkad.errors import ConfigError
from pykafkad.ops.http import HEADER_MAX, Answer, Http


async def _good() -> Answer:
    return Answer(200, b"fine\n")


async def _bad() -> Answer:
    raise ValueError("a page of ours is broken")


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http({"/good": _good, "/bad": _bad})
    await http.start("127.0.0.1:0")
    yield http
    await http.stop()


async def ask(http: Http, request: bytes) -> bytes:
    host, _, port = http.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_page(http: Http) -> None:
    answer = await ask(http, b"GET /good?x=1 HTTP/1.1\r\nHost: here\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nfine\n")
    assert b"Content-Length: 5\r\n" in answer


async def test_head_has_no_body(http: Http) -> None:
    answer = await ask(http, b"HEAD /good HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n")


async def test_the_index_lists_the_pages(http: Http) -> None:
    assert b'href="/good"' in await ask(http, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /good HTTP/1.1\r\n\r\n", b"405"),
        (b"\x00\x00\x00\x10garbage\r\n\r\n", b"400"),
        (b"GET /bad HTTP/1.1\r\n\r\n", b"500"),
        (b"GET /" + b"x" * HEADER_MAX * 2 + b" HTTP/1.1\r\n\r\n", b"400"),
    ],
)
async def test_what_is_wrong_is_told(http: Http, request_: bytes, status: bytes) -> None:
    assert (await ask(http, request_)).startswith(b"HTTP/1.1 " + status)


async def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"^http.listen={listen}: the port is in use"):
            await Http({}).start(listen)
