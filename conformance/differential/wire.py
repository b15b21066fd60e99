"""One connection, and what can come back over it: a message, or one of the ways to say nothing.

Requests that break the protocol are sent too, so nothing here assumes that an answer comes or can be read.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from enum import Enum
from typing import Any

from kafkawire import codec, headers
from kafkawire.errors import WireError
from kafkawire.keys import API, response_class

BY_NAME = {api.module: api for api in API.values()}
LONGEST = 64 << 20


class Nothing(Enum):
    """An answer that is no message."""

    CLOSED = "closed"
    SILENT = "silent"
    UNREADABLE = "unreadable"

    def __str__(self) -> str:
        return self.value


class Connection:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # whoever hung up says so when it is read
            self._socket.sendall(frame)

    def request(self, api: str, version: int, message: Any, client_id: str | None = "cli") -> None:
        self._correlation += 1
        self.send(request_bytes(api, version, message, client_id, self._correlation))

    def receive(self, wait: float) -> bytes | Nothing:
        """One frame without its size."""
        self._socket.settimeout(wait)
        try:
            head = self._exactly(4)
            size = struct.unpack(">i", head)[0] if head else -1
            if not 0 <= size <= LONGEST:
                return Nothing.CLOSED if not head else Nothing.UNREADABLE
            body = self._exactly(size)
            return Nothing.CLOSED if body is None else body
        except TimeoutError:
            return Nothing.SILENT
        except OSError:
            return Nothing.CLOSED

    def _exactly(self, n: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < n:
            got = self._socket.recv(n - len(parts))
            if not got:
                return None
            parts += got
        return bytes(parts)


def request_bytes(api: str, version: int, message: Any, client_id: str | None = "cli", correlation: int = 7) -> bytes:
    pieces = headers.request_frame(BY_NAME[api].key, version, correlation, client_id, message)
    return b"".join(bytes(piece) for piece in pieces)  # type: ignore[arg-type]


def read_answer(key: int, version: int, frame: bytes | Nothing) -> Any:
    """The message in a frame; ApiVersions answers versions it doesn't have in its oldest."""
    if isinstance(frame, Nothing):
        return frame
    view = memoryview(frame)
    for said in dict.fromkeys((version, 0) if key == headers.API_VERSIONS else (version,)):
        with contextlib.suppress(WireError, KeyError):
            _, position = headers.read_response_header(key, said, view)
            return codec.decode(response_class(key), said, view, position)
    return Nothing.UNREADABLE
