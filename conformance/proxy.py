"""A wire that breaks at a chosen moment: between clients and a broker, it can lose the answer to a request, or keep a
request back until nobody reckons with it any more.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable

PRODUCE, ADD_PARTITIONS_TO_TXN, END_TXN, TXN_OFFSET_COMMIT = 0, 24, 26, 28


class Proxy:
    """Frames go through unchanged; after `lose_answers(n)` the next n Produce requests, or those of another API, reach
    the broker, and instead of their answers the client sees its connection closed. `cut` closes all connections.

    `hold` keeps the next request back that is wanted. Its client sees its connection closed and asks again, or
    gives up; `release` lets it arrive all the same, as a slow network would."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.target = 0
        self.losing: Counter[int] = Counter()  # how many more answers to requests of each API
        self.losing_since: Counter[int] = Counter()  # from which of its versions on
        self.lost = 0
        self.wanted: Callable[[bytes], bool] | None = None
        self.held: list[bytes] = []
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def lose_answers(self, n: int, api: int = PRODUCE, since: int = 0) -> None:
        with self.lock:
            self.losing[api], self.losing_since[api] = n, since

    @property
    def to_lose(self) -> int:
        return self.losing.total()

    def hold(self, wanted: Callable[[bytes], bool] | None) -> None:
        """``wanted`` sees each request, without its length; None: none is wanted any more."""
        with self.lock:
            self.wanted = wanted

    def release(self) -> None:
        """What was held arrives, and nobody hears the answer."""
        with self.lock:
            held, self.held = self.held, []
        for frame in held:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target), 5) as broker:
                broker.sendall(frame)
                broker.recv(65536)  # it did what was asked

    def cut(self) -> None:
        with self.lock:
            for sock in self.open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.close()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", self.target), 5)
                except OSError:
                    client.close()
                    continue
                broker.settimeout(None)
                with self.lock:
                    self.open |= {client, broker}
                cut = threading.Event()
                threading.Thread(target=self.requests, args=(client, broker, cut), daemon=True).start()
                threading.Thread(target=self.answers, args=(broker, client, cut), daemon=True).start()

    def requests(self, client: socket.socket, broker: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(int.from_bytes(head, "big"))
                api, version = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
                with self.lock:
                    if self.wanted is not None and self.wanted(body):
                        self.wanted = None
                        self.held.append(head + body)
                        break
                    if self.losing[api] > 0 and version >= self.losing_since[api]:
                        self.losing[api] -= 1
                        self.lost += 1
                        cut.set()
                broker.sendall(head + body)
        with contextlib.suppress(OSError):
            broker.shutdown(socket.SHUT_WR)

    def answers(self, broker: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := broker.recv(65536):
                if cut.is_set():
                    break  # the broker has answered: it did what was asked
                client.sendall(data)
        with self.lock:
            self.open -= {client, broker}
        for sock in (client, broker):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
