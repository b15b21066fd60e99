"""A client that costs next to nothing: prebuilt frames, raw sockets, a fixed number of requests in flight.

It runs in a process of its own (`python -m tests.bench.raw`), is told what to do in one pickle on stdin and answers
with one on stdout, so that neither the runner nor its garbage collector stand in the way. It reads as much as is
there, never looks into an answer beyond its length, and says what CPU time it took itself.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

SIZE = struct.Struct(">i")
BUFFER = 512 * 1024
PATIENCE = 180  # seconds for one order; nothing here takes longer on any machine worth measuring


@dataclass
class Order:
    """What to send: for each connection a list of frames, in turn, until it has `count` answers or time is up."""

    port: int
    plans: Sequence[Sequence[bytes]]
    count: int = 0  # requests per connection; 0: as many as `seconds` have room for
    in_flight: int = 5
    seconds: float = 0.0
    cold: Sequence[str] = ()  # files whose pages are dropped before each pass over the frames
    meek: bool = False  # give way to everybody: on a machine of its own it would be in nobody's way


class Enough(Exception):
    """SIGTERM: say what came so far."""


class Outcome(NamedTuple):
    seconds: float
    requests: int
    received: int  # bytes, size prefixes included
    cpu: float  # this process's own seconds
    first: bytes  # the first connection's first answer, without its size prefix


def connect(port: int) -> socket.socket:
    """Blocking and without a timeout, which would cost a poll for every call; whoever waits for a worker is patient."""
    sock = socket.create_connection(("127.0.0.1", port), 30)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(port: int, frame: bytes) -> bytes:
    """One request, one response, one connection."""
    with connect(port) as sock, sock.makefile("rb") as stream:
        sock.settimeout(PATIENCE)
        sock.sendall(frame)
        (size,) = SIZE.unpack(stream.read(4))
        return stream.read(size)


def drop_pages(files: Sequence[str]) -> None:
    """Let the next read of these come from the disk; what was never synced can't be dropped, so it is synced first."""
    for name in files:
        with suppress(FileNotFoundError):
            fd = os.open(name, os.O_RDONLY)
            try:
                os.fdatasync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)


@dataclass
class Answers:
    """Counts answers in a stream of bytes that arrive in any pieces."""

    first: bytearray = field(default_factory=bytearray)
    _missing: int = 0  # bytes of the answer that is being read
    _prefix: bytes = b""  # a size that came in two pieces
    _first_size: int = -1

    def feed(self, view: memoryview, got: int) -> int:
        """How many answers ended within these bytes."""
        if self._first_size != len(self.first):
            self._keep(view[:got])
        at = ended = 0
        missing = self._missing
        unpack = SIZE.unpack_from
        while at < got:
            if not missing:
                if self._prefix or got - at < 4:
                    take = min(4 - len(self._prefix), got - at)
                    self._prefix += bytes(view[at : at + take])
                    at += take
                    if len(self._prefix) < 4:
                        break
                    (missing,) = SIZE.unpack(self._prefix)
                    self._prefix = b""
                else:
                    missing = unpack(view, at)[0]
                    at += 4
            step = got - at
            if step < missing:
                missing -= step
                break
            at += missing
            missing = 0
            ended += 1
        self._missing = missing
        return ended

    def _keep(self, piece: memoryview) -> None:
        self.first += piece
        if self._first_size < 0 and len(self.first) >= 4:
            self._first_size = SIZE.unpack_from(self.first)[0]
            del self.first[:4]
        if self._first_size >= 0:
            del self.first[self._first_size :]


def drive(order: Order) -> Outcome:
    if len(order.plans) == 1 and order.count and not order.cold:
        return drive_one(order)
    return drive_many(order)


def drive_one(order: Order) -> Outcome:
    """One connection: blocking calls, the least there can be between an answer and the next request."""
    frames, count = order.plans[0], order.count
    n = len(frames)
    sock = connect(order.port)
    buffer = bytearray(BUFFER)
    view = memoryview(buffer)
    answers = Answers()
    same = memoryview(frames[0] * order.in_flight) if n == 1 else None  # cut instead of joined
    size = len(frames[0])
    recv_into, sendall, feed = sock.recv_into, sock.sendall, answers.feed
    done = received = 0
    cpu, began = time.process_time(), time.perf_counter()
    sent = min(order.in_flight, count)
    sendall(b"".join([frames[i % n] for i in range(sent)]))
    while done < count:
        got = recv_into(buffer)
        if not got:
            raise ConnectionError(f"closed after {done} of {count} answers")
        received += got
        ended = feed(view, got)
        done += ended
        more = min(ended, count - sent)
        if more:
            if same is not None:
                sendall(same[: more * size])
            else:
                sendall(b"".join([frames[i % n] for i in range(sent, sent + more)]))
            sent += more
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sock.close()
    return Outcome(seconds, done, received, cpu, bytes(answers.first))


class Wire:
    """One of many connections: it never blocks, so that a broker that is slow with one isn't spared the others."""

    def __init__(self, order: Order, frames: Sequence[bytes]) -> None:
        self.order, self.frames = order, frames
        self.sock = connect(order.port)
        self.sock.setblocking(False)
        self.answers = Answers()
        self.sent = self.done = self.received = 0
        self.unsent = memoryview(b"")
        self.limit = order.count or sys.maxsize

    def over(self) -> bool:
        return self.done >= min(self.limit, self.sent) and self.sent >= self.limit

    def ask(self, times: int) -> None:
        times = min(times, self.limit - self.sent)
        n = len(self.frames)
        if self.order.cold and self.sent % n == 0:
            drop_pages(self.order.cold)
        self.unsent = memoryview(
            bytes(self.unsent) + b"".join([self.frames[i % n] for i in range(self.sent, self.sent + times)])
        )
        self.sent += times
        self.push()

    def push(self) -> None:
        with suppress(BlockingIOError):
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]

    def read(self, buffer: bytearray, view: memoryview) -> None:
        try:
            got = self.sock.recv_into(buffer)
        except BlockingIOError:
            return
        if not got:
            raise ConnectionError(f"closed after {self.done} answers")
        self.received += got
        ended = self.answers.feed(view, got)
        self.done += ended
        if ended and self.sent < self.limit:
            self.ask(ended)

    def wants(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)


def drive_many(order: Order) -> Outcome:
    wires = [Wire(order, frames) for frames in order.plans]
    buffer = bytearray(BUFFER)
    view = memoryview(buffer)
    waiting = selectors.DefaultSelector()
    cpu, began = time.process_time(), time.perf_counter()
    end = began + (order.seconds or PATIENCE)
    for wire in wires:
        wire.ask(order.in_flight)
        waiting.register(wire.sock, wire.wants(), wire)
    left = len(wires)
    with suppress(Enough):
        while left and time.perf_counter() < end:
            for key, events in waiting.select(1):
                wire = key.data
                if events & selectors.EVENT_WRITE:
                    wire.push()
                if events & selectors.EVENT_READ:
                    wire.read(buffer, view)
                if wire.over():
                    waiting.unregister(wire.sock)
                    left -= 1
                elif key.events != wire.wants():
                    waiting.modify(wire.sock, wire.wants(), wire)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if order.count and left:
        raise TimeoutError(f"{left} of {len(wires)} connections didn't end in {seconds:.0f} s")
    for wire in wires:
        wire.sock.close()
    done, received = sum(wire.done for wire in wires), sum(wire.received for wire in wires)
    return Outcome(seconds, done, received, cpu, bytes(wires[0].answers.first))


def begin(order: Order) -> subprocess.Popen[bytes]:
    """`drive`, in another process; `finish` waits for it."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.raw"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
    )
    assert worker.stdin is not None
    worker.stdin.write(pickle.dumps(order.__dict__))
    worker.stdin.close()
    worker.stdin = None
    return worker


def finish(worker: subprocess.Popen[bytes], patience: float = PATIENCE + 20) -> Outcome:
    try:
        said, _ = worker.communicate(timeout=patience)
    finally:
        worker.kill()
        worker.wait()
    if worker.returncode:
        raise RuntimeError(f"the load generator ended with {worker.returncode}")
    return Outcome(*pickle.loads(said))


def apart(order: Order) -> Outcome:
    return finish(begin(order))


def enough(*_: object) -> None:
    raise Enough


if __name__ == "__main__":
    told = Order(**pickle.loads(sys.stdin.buffer.read()))
    if told.meek:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    signal.signal(signal.SIGTERM, enough)
    outcome = drive(told)
    sys.stdout.buffer.write(pickle.dumps(tuple(outcome)))
