"""Getting answers into a socket: bytes gathered into one call, file slices by sendfile, nothing that stalls the loop.

Hot file. An answer is a list of pieces, bytes or slices of a file. Bytes that leave together leave in one ``sendmsg``;
before a slice they go with MSG_MORE, so that a Fetch's header and its first records share a packet. Small slices are
cheaper to read than to send from the file (a second system call costs more than the copy), and are read without
waiting. A slice that isn't in the page cache would make the loop wait for the disk: it is found by asking the kernel
for single bytes with RWF_NOWAIT, and the caller warms it in a thread first, a stretch at a time.

Who reads old data reads a lot of it, and whoever else is served meanwhile should not notice: to a ``slow`` connection
slices leave in small steps, between which the loop serves the others.
"""

from __future__ import annotations

import os
import socket
from errno import EAGAIN, EOPNOTSUPP
from functools import cache
from typing import Any, Protocol

from pykafkad.metrics import Metrics

READ_BELOW = 32 * 1024  # slices smaller than this are read and sent with their neighbours
JOIN_BELOW = 64 * 1024  # bytes are joined below this, gathered by the kernel above
GATHER_MAX = 256  # pieces in one sendmsg (the kernel's limit is 1,024)
SEND_MAX = 4 << 20  # bytes in one go, for fairness to the other connections
PROBE_EVERY = 256 * 1024  # distance of probes: the kernel reads ahead in windows of about this size
STRETCH = 1 << 20  # bytes that are probed, or warmed, at a time
SLOW_STEP = 128 * 1024  # bytes that leave slowly in one go: some 30 µs on a loopback
_MSG_MORE = socket.MSG_MORE
_BYTES = (bytes, bytearray, memoryview)


class FileRange(Protocol):
    """What storage's FileSlice is to the network."""

    @property
    def fd(self) -> int: ...
    @property
    def offset(self) -> int: ...
    def __len__(self) -> int: ...
    def read(self) -> bytes: ...


class Slice:
    """A file slice on its way out. It holds on to its FileRange, which keeps the file open."""

    __slots__ = ("left", "offset", "source", "warm")

    def __init__(self, source: FileRange) -> None:
        self.source = source  # asked for its descriptor each time: a closed file must not become another one's
        self.offset = source.offset
        self.left = len(source)
        self.warm = 0  # bytes of it that are in memory, as far as anybody looked

    def __len__(self) -> int:
        return self.left

    def heat(self) -> None:
        """Bring the next stretch into the page cache; for a worker thread.

        The kernel isn't to read further ahead than that: what is read as fast as the disk goes leaves nobody else
        their share, and whether a reader's data are cold would no longer be seen. Sent to nowhere rather than read:
        nothing is copied, so it takes a twentieth of the CPU time.
        """
        length = min(self.left, STRETCH)
        position, end = self.offset, self.offset + length
        os.posix_fadvise(self.source.fd, 0, 0, os.POSIX_FADV_RANDOM)
        os.posix_fadvise(self.source.fd, position, length, os.POSIX_FADV_WILLNEED)
        while position < end:
            gone = os.sendfile(_nowhere(), self.source.fd, position, end - position)
            if gone == 0:
                break  # a file that is shorter than it should be is found out when it is sent
            position += gone
        self.warm = length


@cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


Piece = Any  # bytes, bytearray, memoryview, FileRange or Slice


class Sender:
    """Sends pieces and counts what it sent; one for all connections of a broker."""

    __slots__ = ("_can_probe", "cold", "from_files", "sent")

    def __init__(self, metrics: Metrics) -> None:
        self.sent = metrics.counter("kafka_network_socketserver_bytes_sent_total")
        self.from_files = metrics.counter("kafka_network_socketserver_bytes_sent_from_files_total")
        self.cold = metrics.counter("kafka_network_socketserver_cold_reads_total")
        self._can_probe = hasattr(os, "RWF_NOWAIT")

    def send(self, sock: socket.socket, out: list[Piece], slow: bool = False) -> Slice | bool:
        """Send from the front of ``out``, removing what has gone.

        True: all has gone. False: the rest goes when the socket is writable again. A Slice: it must be warmed first;
        or, where some of it is warm, it had its step, being sent ``slow``.
        OSError: the connection is broken, or a file is shorter than its slice.
        """
        budget = SLOW_STEP if slow else SEND_MAX
        while out:
            if budget <= 0:
                return False
            ready, size, following = self._gather(out)
            if ready:
                flags = _MSG_MORE if following is not None and following.left else 0
                try:
                    if len(ready) == 1:
                        gone = sock.send(ready[0], flags)
                    elif size <= JOIN_BELOW:
                        gone = sock.send(b"".join(ready), flags)
                    else:
                        gone = sock.sendmsg(ready, (), flags)
                except BlockingIOError:
                    return False
                self.sent.value += gone
                budget -= gone
                if gone < size:
                    _drop(out, gone)
                    return False
                del out[: len(ready)]
                if following is None or budget <= 0:
                    continue
            assert following is not None  # what isn't bytes
            if not following.warm:
                if self._can_probe and self._is_cold(following):
                    self.cold.value += 1
                    return following
                following.warm = min(following.left, STRETCH)
            try:
                gone = os.sendfile(sock.fileno(), following.source.fd, following.offset, min(following.warm, budget))
            except BlockingIOError:
                return False
            if gone == 0:
                raise OSError("file is shorter than the slice that is being sent")
            self.sent.value += gone
            self.from_files.value += gone
            budget -= gone
            following.offset += gone
            following.left -= gone
            following.warm -= gone
            if not following.left:
                del out[0]
            elif slow and budget <= 0 and following.warm:
                return following
        return True

    def _gather(self, out: list[Piece]) -> tuple[list[Any], int, Slice | None]:
        """The bytes at the front of ``out``, their size, and the slice to be sent from its file after them, if any."""
        ready: list[Any] = []
        size = 0
        for index, piece in enumerate(out):
            if type(piece) not in _BYTES:
                piece = self._slice(piece)
                out[index] = piece
                if type(piece) is Slice:
                    return ready, size, piece
            ready.append(piece)
            size += len(piece)
            if size >= SEND_MAX or len(ready) == GATHER_MAX:
                break
        return ready, size, None

    def _slice(self, piece: Piece) -> Piece:
        """Turn a small slice into its bytes if they are at hand, anything else into a Slice."""
        if type(piece) is not Slice:
            if piece.fd < 0:
                return piece.read()
            piece = Slice(piece)
        if piece.left >= READ_BELOW or (piece.left and not piece.warm and self._can_probe):
            small = self._read_now(piece) if piece.left < READ_BELOW else None
            return piece if small is None else small
        return os.pread(piece.source.fd, piece.left, piece.offset)

    def _read_now(self, piece: Slice) -> bytearray | None:
        """All of a small slice, without waiting for the disk; None if that can't be."""
        data = bytearray(piece.left)
        try:
            read = os.preadv(piece.source.fd, [data], piece.offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno == EOPNOTSUPP:
                self._can_probe = False
            elif error.errno != EAGAIN:
                raise
            return None
        return data if read == len(data) else None

    def _is_cold(self, piece: Slice) -> bool:
        """Whether the next stretch isn't all in memory, as a byte here and there tells."""
        byte = bytearray(1)
        last = piece.offset + min(piece.left, STRETCH) - 1
        try:
            for position in (*range(piece.offset, last, PROBE_EVERY), last):
                os.preadv(piece.source.fd, [byte], position, os.RWF_NOWAIT)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != EOPNOTSUPP:
                raise
            self._can_probe = False
        return False


def _drop(out: list[Piece], gone: int) -> None:
    """Remove ``gone`` bytes from the front of pieces that are all bytes that far."""
    done = 0
    for piece in out:
        if gone < len(piece):
            break
        gone -= len(piece)
        done += 1
    del out[:done]
    if gone:
        out[0] = memoryview(out[0])[gone:]
