"""A client that costs next to nothing: prebuilt frames, one socket, a fixed number of requests in flight.

It runs in a process of its own (`python -m tests.bench.raw`), is told what to do in one pickle on stdin and answers
with one on stdout, so that the broker has the other core and the runner neither.
"""

from __future__ import annotations

import pickle
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

SIZE = struct.Struct(">i")
BUFFER = 4 << 20


class Outcome(NamedTuple):
    seconds: float
    received: int  # bytes, size prefixes included
    first: bytes  # the first response without its size prefix, at most 4 MB


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(port: int, frame: bytes) -> bytes:
    """One request, one response, one connection."""
    with connect(port) as sock, sock.makefile("rb") as stream:
        sock.sendall(frame)
        (size,) = SIZE.unpack(stream.read(4))
        return stream.read(size)


def drive(port: int, frames: Sequence[bytes], count: int, in_flight: int) -> Outcome:
    """Send `count` requests, the frames in turn; whenever an answer is complete the next request goes out."""
    sock = connect(port)
    buffer = bytearray(BUFFER)
    view = memoryview(buffer)
    began = time.perf_counter()
    n = len(frames)
    sent = min(in_flight, count)
    for i in range(sent):
        sock.sendall(frames[i % n])
    done = received = 0
    have = 0  # bytes of the answer that is being read, from the buffer's start
    first = b""
    recv_into, sendall, unpack = sock.recv_into, sock.sendall, SIZE.unpack_from
    while done < count:
        got = recv_into(view[have:])
        if not got:
            raise ConnectionError(f"closed after {done} of {count} answers")
        received += got
        have += got
        at = 0
        ended = 0
        while have - at >= 4:
            need = unpack(buffer, at)[0] + 4
            if have - at < need:
                break
            if not first:
                first = bytes(view[at + 4 : at + need])
            at += need
            ended += 1
        if at:
            done += ended
            if have > at:
                buffer[: have - at] = buffer[at:have]
            have -= at
            more = min(ended, count - sent)
            if more == 1:
                sendall(frames[sent % n])
            elif more:
                sendall(b"".join([frames[i % n] for i in range(sent, sent + more)]))
            sent += more
    seconds = time.perf_counter() - began
    sock.close()
    return Outcome(seconds, received, first)


def apart(port: int, frames: Sequence[bytes], count: int, in_flight: int = 5) -> Outcome:
    """`drive`, in another process."""
    order = pickle.dumps((port, list(frames), count, in_flight))
    done = subprocess.run([sys.executable, "-m", "tests.bench.raw"], input=order, stdout=subprocess.PIPE, check=True)
    return Outcome(*pickle.loads(done.stdout))


if __name__ == "__main__":
    outcome = drive(*pickle.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(pickle.dumps(tuple(outcome)))
