"""A wire that breaks at a chosen moment: between client and broker, it loses the answer to a request of some kind."""

from __future__ import annotations

import contextlib
import socket
import threading

PRODUCE, END_TXN = 0, 26


class Proxy:
    """Frames go through unchanged; after `lose_answers(n)` the next n Produce requests, or those of another API, reach
    the broker, and instead of their answers the client sees its connection closed."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.target = 0
        self.api = PRODUCE
        self.to_lose = 0
        self.lost = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def lose_answers(self, n: int, api: int = PRODUCE) -> None:
        with self.lock:
            self.api, self.to_lose = api, n

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
                cut = threading.Event()
                threading.Thread(target=self.requests, args=(client, broker, cut), daemon=True).start()
                threading.Thread(target=self.answers, args=(broker, client, cut), daemon=True).start()

    def requests(self, client: socket.socket, broker: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(int.from_bytes(head, "big"))
                with self.lock:
                    if self.to_lose > 0 and int.from_bytes(body[:2], "big") == self.api:
                        self.to_lose -= 1
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
        for sock in (client, broker):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
