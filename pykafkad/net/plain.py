"""One connection in the clear: a raw socket, frames in, answers out in order.

Hot file. A connection owns no receive buffer: the socket is read into the server's one scratch buffer, and every whole
frame is served straight out of it. Bytes are copied aside (the *inbox*) only when they must outlive the wake-up: half a
frame, or frames behind a request that still waits for its answer. The inbox grows as bytes arrive, never because a
frame announces them. A frame that fills most of the scratch buffer would always be copied so; the server lends one of a
few *trays*, into which the rest of it is received.

Nothing is served while ``hold`` is not zero. Its bits say why, and whoever clears the last one calls ``resume``:

    WAITING   a request is in progress (Kafka serves one at a time per connection; ``call.let_next()`` lifts that)
    SENDING   the peer hasn't read its answers yet, or a file slice is being warmed
    TURN      this wake-up had its share; the loop comes back to us after the others
    ENDING    the broker stops: what is in flight is answered, nothing new is begun
    CLOSED    for good

Answers leave in request order: a request that waits takes a *slot*, and later answers queue up behind it.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from struct import Struct
from typing import TYPE_CHECKING

from pykafkad.api.call import Peer
from pykafkad.net.sending import Piece, Slice
from pykafkad.runtime.warming import readers

if TYPE_CHECKING:
    from kafkawire.fetch_moulds import FetchMould
    from pykafkad.net.listener import Server
    from pykafkad.runtime.waits import Poll

    Waits = asyncio.Future[object] | Poll

WAITING, SENDING, TURN, ENDING, CLOSED = 1, 2, 4, 8, 16

TURN_REQUESTS = 64  # requests served in one wake-up of one connection,
TURN_SECONDS = 0.001  # or as many as fit in this
SLOTS_MAX = 64  # requests of one connection that wait at the same time, for what they do or for earlier answers
TRAY_BYTES = 1024 * 1024 + 64 * 1024  # a frame with a batch of max.message.bytes, by default
LARGE_MIN = 512 * 1024  # smaller frames are better served several at a time
BEHIND_MAX = 64 * 1024  # what is read behind a large frame, and copied if it isn't whole
AHEAD_MAX = 16 * 1024  # bytes read while an earlier request is in progress, about
SLOW_SECONDS = 1.0  # whose data had to come from the disk reads old data, for so long at least
FLUSH_AT = 256 * 1024  # bytes of answers that may collect before they are sent

_size_at = Struct(">i").unpack_from


class Slot:
    """The place of one waiting request's answer in its connection's order."""

    __slots__ = ("alone", "future", "pieces")

    def __init__(self, future: Waits | None, alone: bool) -> None:
        self.future = future
        self.alone = alone  # nothing else of this connection is served meanwhile
        self.pieces: list[Piece] | None = None


class Connection:
    """A client's connection; created by the listener, gone when ``close`` was called."""

    __slots__ = (
        "_at", "_filled", "_inbox", "_out", "_out_bytes", "_paused", "_slots", "_slow_until", "_tray", "active",
        "client_bytes",
        "client_id", "hold", "peer", "repeated", "server", "sock", "usual",
    )  # fmt: skip

    def __init__(self, server: Server, sock: socket.socket, peer: Peer) -> None:
        self.server = server
        self.sock = sock
        self.peer = peer
        self.hold = 0
        self.active = server.monotonic()  # when bytes last moved
        self.client_id = ""  # of the latest request, and how it was written
        self.client_bytes = b""
        self.usual = 0  # how many bytes of the latest request are expected to come again
        self.repeated: FetchMould | None = None  # what this connection asks for over and over
        self._inbox: bytearray | None = None
        self._at = 0  # the inbox before this has been served
        self._tray: memoryview | None = None  # for one large frame, in place of the inbox
        self._filled = 0
        self._paused = False
        self._slow_until = 0.0  # till then it counts as one who reads old data
        self._slots: deque[Slot] | None = None
        self._out: list[Piece] = []
        self._out_bytes = 0

    # ---- in ----

    def readable(self) -> None:
        """The loop's call: something arrived, or the peer is gone."""
        server = self.server
        if self._tray is not None:
            if not self.hold:
                self._fill(self._tray)
                return
            self._clear_tray()
        inbox = self._inbox
        try:
            if self.hold:
                # Read on a little, or we would never learn that the peer is gone; the rest stays in the kernel.
                if inbox is not None and len(inbox) - self._at >= AHEAD_MAX:
                    self.pause()
                    return
                size = self.sock.recv_into(server.scratch, AHEAD_MAX)
            else:
                size = self.sock.recv_into(server.scratch)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not size:
            self._gone()
            return
        self._came(size)
        if inbox is None and not self.hold:
            self._serve_scratch(size)
        else:
            self._arrived(server.scratch[:size])
        if self._out:
            self.flush()

    def _came(self, size: int) -> None:
        server = self.server
        self.active = server.monotonic()
        if self.active > self._slow_until:
            server.lively = self.active
        server.received.value += size

    def _serve_scratch(self, size: int) -> None:
        """Serve what was read, and put aside what can't be served yet."""
        scratch = self.server.scratch
        stop = self._serve(scratch, 0, size)
        if stop == size or self.hold >= CLOSED:
            return
        if not self.hold and size - stop >= 4:
            end: int = 4 + _size_at(scratch, stop)[0]
            if LARGE_MIN <= end <= TRAY_BYTES and (lent := self.server.lend_tray()) is not None:
                tray = self._tray = lent[:end]
                self._filled = size - stop
                tray[: size - stop] = scratch[stop:size]
                self.server.held(self, size - stop)
                return
        self._keep(scratch[stop:size])

    def _fill(self, tray: memoryview) -> None:
        """Receive more of a large frame, and a little of what follows it."""
        server, filled = self.server, self._filled
        missing = len(tray) - filled
        try:
            size = self.sock.recvmsg_into((tray[filled:], server.scratch[:BEHIND_MAX]))[0]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not size:
            self._gone()
            return
        self._came(size)
        self._filled += min(size, missing)
        server.held(self, min(size, missing))
        if size >= missing:
            self._serve(tray, 0, len(tray))
            self._give_back()
            if size > missing and self.hold < CLOSED:
                if self.hold:
                    self._append(server.scratch[: size - missing])
                else:
                    self._serve_scratch(size - missing)
        if self._out:
            self.flush()

    def _clear_tray(self) -> None:
        """The frame isn't served for now: what came of it becomes the inbox."""
        assert self._tray is not None
        came = bytes(self._tray[: self._filled])
        self._give_back()
        self._keep(memoryview(came))

    def _give_back(self) -> None:
        if self._tray is not None:
            self.server.held(self, -self._filled)
            self.server.return_tray(memoryview(self._tray.obj))
            self._tray, self._filled = None, 0

    def _gone(self) -> None:
        """The peer says no more; what it said before is answered first, and resume looks here again."""
        if self._slots or self.hold & (TURN | SENDING):
            self.pause()
        else:
            self.close()

    def _serve(self, view: memoryview, position: int, end: int) -> int:
        """Serve whole frames from ``view[position:end]``; where it stopped."""
        server = self.server
        dispatcher = server.dispatcher
        serve = dispatcher.serve
        now = server.clock.now_ms()
        left, frame_max = TURN_REQUESTS, server.frame_max
        begun = dispatcher.started = server.stopwatch()
        while end - position >= 4:
            size: int = _size_at(view, position)[0]
            stop = position + 4 + size
            if stop > end or not 0 <= size <= frame_max:
                if not 0 <= size <= frame_max:
                    self.refuse("frame", "closed a connection: size of a request", size=size)
                    return end
                break
            if not left:
                self._give_way()
                break
            left -= 1
            position = serve(self, view, position + 4, stop, end, now)
            if self._out_bytes >= FLUSH_AT:
                self.flush()
            if self.hold:
                break
            if dispatcher.started - begun > TURN_SECONDS:
                left = 0
        return position

    def _keep(self, view: memoryview) -> None:
        """Copy bytes aside as the new inbox."""
        self._forget()
        self._inbox = bytearray(view)
        self.server.held(self, len(view))

    def _forget(self) -> None:
        if self._inbox is not None:
            self.server.held(self, -len(self._inbox))
            self._inbox = None
            self._at = 0

    def _append(self, view: memoryview) -> None:
        """Add to the inbox. A handler may still look into the part that was served, so that part is never moved."""
        inbox = self._inbox
        if inbox is None:
            self._keep(view)
        elif self._at:
            rest = bytearray(memoryview(inbox)[self._at :])
            self._forget()
            rest += view
            self._inbox = rest
            self.server.held(self, len(rest))
        else:
            inbox += view
            self.server.held(self, len(view))

    def _arrived(self, view: memoryview) -> None:
        """Bytes came while others of this connection are kept: finish the frame that is begun, no copy beyond it."""
        position, end = 0, len(view)
        while not self.hold and self._inbox is not None:
            have = len(self._inbox) - self._at
            if have < 4:
                missing = 4 - have
            else:
                size: int = _size_at(self._inbox, self._at)[0]
                if not 0 <= size <= self.server.frame_max:
                    self.refuse("frame", "closed a connection: size of a request", size=size)
                    return
                missing = 4 + size - have
                if not missing:
                    self._from_inbox()
                    continue
            if position == end:
                return
            part = view[position : position + missing]
            self._append(part)
            position += len(part)
        if self.hold >= CLOSED or position == end:
            return
        if self._inbox is None and not self.hold:
            position = self._serve(view, position, end)
            if position == end or self.hold >= CLOSED:
                return
        self._append(view[position:])

    def _from_inbox(self) -> None:
        """Serve what the inbox has."""
        inbox = self._inbox
        assert inbox is not None
        stop = self._serve(memoryview(inbox), self._at, len(inbox))
        if self.hold >= CLOSED:
            return
        if stop == len(inbox):
            self._forget()
        else:
            self._at = stop

    def resume(self) -> None:
        """What held this connection up is over: serve what it sent meanwhile, and read on."""
        if self._inbox is not None and not self.hold:
            self._from_inbox()
        if self._out:
            self.flush()
        if self._paused and not self.hold:
            self.unpause()

    def _give_way(self) -> None:
        self.hold |= TURN
        self.server.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self.hold &= ~TURN
        if not self.hold:
            self.resume()

    def pause(self) -> None:
        """Stop reading; the kernel's window tells the peer to wait."""
        if not self._paused and self.hold < CLOSED:
            self._paused = True
            self.server.loop.remove_reader(self.sock)

    def unpause(self) -> None:
        if self._paused and self.hold < CLOSED:
            self._paused = False
            self.server.loop.add_reader(self.sock, self.readable)

    # ---- out ----

    def answer(self, pieces: list[Piece]) -> None:
        """The answer of the request that is being served."""
        slots = self._slots
        if slots:
            slot = Slot(None, False)
            slot.pieces = pieces
            slots.append(slot)
            if len(slots) >= SLOTS_MAX:
                self.hold |= WAITING
            return
        for piece in pieces:
            self._out_bytes += len(piece)
        self._out += pieces

    def wait(self, future: Waits | None, alone: bool) -> Slot:
        """The request that is being served answers later, through ``answer_later``."""
        slot = Slot(future, alone)
        slots = self._slots
        if slots is None:
            slots = self._slots = deque()
        slots.append(slot)
        if alone or len(slots) >= SLOTS_MAX:
            self.hold |= WAITING
        self.server.waiting += 1
        return slot

    def answer_later(self, slot: Slot, pieces: list[Piece]) -> None:
        """Fill a slot; all answers that are ready and whose turn it is leave."""
        self.server.waiting -= 1
        if self.hold >= CLOSED:
            return
        slots = self._slots
        assert slots is not None
        slot.pieces = pieces
        slot.future = None
        while slots and (ready := slots[0].pieces) is not None:
            slots.popleft()
            self._put(ready)
        if self.hold & WAITING and len(slots) < SLOTS_MAX and not (slots and slots[-1].alone):
            self.hold &= ~WAITING
        self.active = self.server.monotonic()
        if not self.hold:
            self.resume()
        elif self._out:
            self.flush()

    def _put(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            self._out_bytes += len(piece)
        self._out += pieces

    def flush(self) -> None:
        """Send what is ready. What the peer doesn't take now keeps its next requests from being served."""
        if self.hold & (SENDING | CLOSED):
            return
        out = self._out
        server = self.server
        try:
            outcome = server.sender.send(self.sock, out, self.active < self._slow_until)
        except OSError:
            self.close()
            return
        if outcome is True:
            self._out_bytes = 0
            return
        self.hold |= SENDING
        if outcome is False:
            server.loop.add_writer(self.sock, self._writable)
        else:
            self._take_time(outcome)

    def _writable(self) -> None:
        server = self.server
        self.active = server.monotonic()
        try:
            outcome = server.sender.send(self.sock, self._out, self.active < self._slow_until)
        except OSError:
            self.close()
            return
        if outcome is False:
            return
        server.loop.remove_writer(self.sock)
        if outcome is True:
            self._sent()
        else:
            self._take_time(outcome)

    def _sent(self) -> None:
        self._out_bytes = 0
        self.hold &= ~SENDING
        if not self.hold:
            self.resume()

    def _take_time(self, slice_: Slice) -> None:
        """Old data: bring the next stretch in, or let others have their turn before the next step of it."""
        loop = self.server.loop
        if slice_.warm:
            loop.call_later(self.server.pause(), self._go_on)
            return
        self._slow_until = self.server.monotonic() + SLOW_SECONDS
        loop.run_in_executor(readers(), slice_.heat).add_done_callback(self._warmed)

    def _warmed(self, heated: asyncio.Future[None]) -> None:
        if heated.cancelled() or heated.exception() is not None:
            self.close()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self.hold < CLOSED:
            self.active = self.server.monotonic()
            self.hold &= ~SENDING
            self.flush()
            if not self.hold:
                self.resume()

    # ---- the end ----

    @property
    def closed(self) -> bool:
        return self.hold >= CLOSED

    @property
    def idle(self) -> bool:
        """Neither waiting for an answer of ours nor in the middle of anything that we do."""
        return not self.hold & ~SENDING and not self._slots

    @property
    def kept(self) -> int:
        """Bytes kept aside."""
        return len(self._inbox) if self._inbox is not None else self._filled

    @property
    def settled(self) -> bool:
        """Everything asked is answered, and the answers are with the kernel."""
        return not self._out and not self._slots

    def end(self) -> None:
        """The broker stops."""
        if self.settled:
            self.close()
        else:
            self.hold |= ENDING
            self.pause()

    def refuse(self, kind: str, event: str, **fields: object) -> None:
        """Close because of what the peer did; one line per kind and interval says so. Earlier answers still leave."""
        if self.hold >= CLOSED:
            return
        server = self.server
        server.metrics.counter("kafka_network_socketserver_refused_total", kind).value += 1
        if self._out and not self._slots:
            self.flush()
        self.close()
        host, port = self.peer.address
        server.complaints.say(
            kind, event, peer=f"{host}:{port}", listener=self.peer.listener, client=self.client_id or None, **fields
        )

    def close(self) -> None:
        if self.hold >= CLOSED:
            return
        server = self.server
        server.loop.remove_reader(self.sock)
        server.loop.remove_writer(self.sock)
        self.hold = CLOSED
        self._forget()
        self._give_back()
        self._out.clear()
        if self._slots:
            for slot in self._slots:
                if slot.future is not None:
                    slot.future.cancel()
            self._slots.clear()
        self.sock.close()
        server.gone(self)
