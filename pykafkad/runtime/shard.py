"""Shard: one machine over one partition. Decide, append, replay, park the replies, wake at the deadline.

There is no ``await`` between a decision and its replay, so a machine never acts on what it has not yet seen. A reply
leaves when everything the machine had seen at that moment is committed, whether the reply brought records or not; with
one replica that is at once, and the caller gets its response without a future in between.

A machine is built by replaying its partition's log, in steps, between which the loop serves others. A machine that
breaks an assertion is dropped and built anew from the log; so is one whose partition has moved away, elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from kafkawire import batches, records
from kafkawire.errors import WireError
from pykafkad.clock import Clock
from pykafkad.errors import Refused, StorageFailed
from pykafkad.logs import log
from pykafkad.runtime.refusals import LOADING, MOVED, TOO_FEW, TOO_LARGE, TOO_LATE
from pykafkad.state.decisions import Decision, Machine, Producer, Reply, Write

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader
    from pykafkad.runtime.partition import Partition

M = TypeVar("M", bound=Machine)
R = TypeVar("R")

LOAD_STEP_BYTES = 64 * 1024  # of small records: some milliseconds
RELOAD_S = 1.0  # after a read that failed; a directory that is lost closes the shard


class StoredCodec(NamedTuple):
    """How a machine's records become bytes and back: one of ``kafkawire.stored``'s modules, or what the machine has."""

    write: Callable[[Any, Any, int], tuple[bytes, bytes | None]]
    read: Callable[[bytes, bytes | None], tuple[Any, Any]]


class Parked(NamedTuple):
    """Replies that leave when the high watermark reaches ``offset``."""

    offset: int
    late_at: int
    replies: tuple[Reply, ...]


class Shard(Generic[M]):
    def __init__(
        self,
        partition: Partition,
        build: Callable[[], M],
        codec: StoredCodec,
        clock: Clock,
        *,
        write_timeout_ms: int,
    ) -> None:
        self.partition = partition
        self.epoch = partition.leader_epoch  # of the leadership that this shard lives in
        self.machine: M = build()
        self.refusal: Refused | None = LOADING  # None: it serves
        self.loaded: list[Callable[[], None]] = []  # called once when loading ends
        self._build = build
        self._codec = codec
        self._clock = clock
        self._write_timeout_ms = write_timeout_ms
        self._on_change: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ticket = 0
        self._callers: dict[int, tuple[asyncio.Future[Any], Callable[[Any], Any]]] = {}
        self._parked: deque[Parked] = deque()
        self.end = 0  # everything the machine has seen lies below
        self._timer: asyncio.Handle | None = None
        self._armed_for = 0
        self._load()

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call whenever the machine's hard state has changed, for whoever acts on what it decides; and now."""
        self._on_change = on_change
        on_change()

    def when_loaded(self, callback: Callable[[], None]) -> None:
        """Call once the log has been read to its end: at once if it has."""
        if self.refusal is None:
            callback()
        else:
            self.loaded.append(callback)

    # ── asking ──

    def ask(
        self, now: int, translate: Callable[[Any], R], command: Callable[..., Decision], *args: Any, **kwargs: Any
    ) -> R | asyncio.Future[R]:
        """Give a command to the machine; its reply, translated, now or later.

        ``translate`` gets the machine's reply, or a ``Refused`` where the shard itself has to refuse.
        """
        refusal = self.refusal
        if refusal is not None:
            return translate(refusal)
        self._ticket = ticket = self._ticket + 1
        try:
            written, replies, producer = command(ticket, *args, now=now, **kwargs)
            if written:
                failure = self._write(written, now, producer)
                if failure is not None:
                    self._fail(replies, failure)
                    return translate(failure)
        except AssertionError as broken:
            self._rebuild(broken)
            return translate(MOVED)
        committed = self.partition.high_watermark >= self.end
        if committed and len(replies) == 1 and replies[0][0] == ticket:
            self._arm(now)
            return translate(replies[0][1])
        future: asyncio.Future[R] = self._loop.create_future()
        self._callers[ticket] = (future, translate)
        self._send(replies, now)
        self._arm(now)
        return future.result() if future.done() else future

    def tell(self, now: int, decide: Callable[..., Decision], *args: Any) -> None:
        """Give a command that nobody waits for."""
        if self.refusal is None:
            self._carry_out(now, lambda: decide(*args))

    def _carry_out(self, now: int, decide: Callable[[], Decision]) -> None:
        try:
            decision = decide()
            failure = self._write(decision.records, now, decision.producer) if decision.records else None
        except AssertionError as broken:
            self._rebuild(broken)
            return
        if failure is None:
            self._send(decision.replies, now)
        else:
            self._fail(decision.replies, failure)
        self._arm(now)

    # ── writing ──

    def _write(self, written: Sequence[Write], now: int, producer: Producer | None = None) -> Refused | None:
        """Append and replay; a refusal if the log didn't take them, and then nothing was replayed."""
        partition = self.partition
        if not partition.leads:
            return MOVED
        if not partition.enough_replicas:
            return TOO_FEW
        write = self._codec.write
        pairs = [write(key, value, version) for key, value, version in written]
        limit = partition.topic_config.max_message_bytes
        count = len(written)
        if count > 1 and sum(len(key) + len(value or b"") + 32 for key, value in pairs) > limit:
            middle = count // 2
            return self._write(written[:middle], now, producer) or self._write(written[middle:], now, producer)
        if producer is None:
            batch = records.build(pairs, timestamp=now)
            guard, replay = None, self.machine.replay
        else:
            producer_id, epoch, guard = producer
            batch = records.build(
                pairs,
                timestamp=now,
                producer_id=producer_id,
                producer_epoch=epoch,
                base_sequence=0,  # which nobody checks, and DescribeProducers shows
                transactional=True,
            )
            replay = partial(self._replay_in_transaction, producer_id)
        if len(batch) > limit:
            return TOO_LARGE
        try:
            base = partition.append_own(batch, now, guard)
        except StorageFailed:
            return MOVED
        if isinstance(base, Refused):
            return base
        self.end = base + count
        for key, value, _ in written:
            replay(key, value)
        if self._on_change is not None:
            self._on_change()
        return None

    # ── replying ──

    def _send(self, replies: Sequence[Reply], now: int) -> None:
        if not replies:
            return
        if self.partition.high_watermark >= self.end:
            for ticket, body in replies:
                self._deliver(ticket, body)
            return
        self._parked.append(Parked(self.end, now + self._write_timeout_ms, tuple(replies)))
        self.partition.committed(self.end, self._release, self._lost)

    def _fail(self, replies: Sequence[Reply], failure: Refused) -> None:
        """The append failed: whoever would have been answered now hears of it, and depends on nothing."""
        for ticket, _ in replies:
            self._deliver(ticket, failure)

    def _release(self) -> None:
        mark = self.partition.high_watermark
        while self._parked and self._parked[0].offset <= mark:
            for ticket, body in self._parked.popleft().replies:
                self._deliver(ticket, body)

    def _lost(self, refused: Refused) -> None:
        """The partition stopped being ours, or its disk failed, before the records were safe."""
        self._release()
        while self._parked:
            for ticket, _ in self._parked.popleft().replies:
                self._deliver(ticket, MOVED)

    def _deliver(self, ticket: int, body: Any) -> None:
        caller = self._callers.pop(ticket, None)
        if caller is None:
            return  # answered before, when an append failed
        future, translate = caller
        if future.done():
            return  # its connection is gone
        try:
            future.set_result(translate(body))
        except Exception as error:
            future.set_exception(error)

    def _refuse_all(self, refused: Refused) -> None:
        self._parked.clear()
        for ticket in list(self._callers):
            self._deliver(ticket, refused)

    # ── time ──

    def _arm(self, now: int) -> None:
        """One timer for all. One that comes too early is left alone: heartbeats push deadlines back all the time."""
        deadline = self.machine.deadline
        if self._parked and (deadline is None or self._parked[0].late_at < deadline):
            deadline = self._parked[0].late_at
        if deadline is None:
            return
        if self._timer is not None:
            if self._armed_for <= deadline:
                return
            self._timer.cancel()
        self._armed_for = deadline
        if deadline <= now:
            self._timer = self._loop.call_soon(self._wake)
        else:
            self._timer = self._loop.call_later((deadline - now) / 1000, self._wake)

    def catch_up(self, now: int) -> None:
        """Let all that is due by now happen before somebody asks what is left.

        Not for commands that keep something alive: when the loop was held up, heartbeats that arrived in the meantime
        must come before the ends of the sessions that they extend.
        """
        while self._timer is not None and self._armed_for <= now and self.refusal is None:
            self._timer.cancel()
            self._pass(now)

    def _wake(self) -> None:
        self._pass(self._clock.now_ms())

    def _pass(self, now: int) -> None:
        self._timer = None
        if self.refusal is not None:
            return
        while self._parked and self._parked[0].late_at <= now:
            for ticket, _ in self._parked.popleft().replies:
                self._deliver(ticket, TOO_LATE)
        self._carry_out(now, lambda: self.machine.on_time(now))

    # ── life ──

    def _load(self) -> None:
        self._load_from(self.partition.log.start_offset)

    def _load_from(self, offset: int) -> None:
        """Have a thread read one step and replay it; come back for the next after the loop has served others."""
        if self.refusal is not LOADING:
            return
        source = self.partition.log
        end = source.end_offset
        if offset < end:
            try:
                piece = source.read(offset, LOAD_STEP_BYTES, end, at_least_one=True)
            except (StorageFailed, OSError) as failure:
                self._could_not_read(offset, failure)
                return
            if piece is not None:
                future = self._loop.run_in_executor(None, piece.read)
                if future.done():  # in simulations threads take no time
                    self._loaded_piece(offset, future)
                else:
                    future.add_done_callback(partial(self._loaded_piece, offset))
                return
        now = self._clock.now_ms()
        self.end = end
        self.machine.loaded(now)
        self.refusal = None
        self._arm(now)
        if self._on_change is not None:
            self._on_change()
        loaded, self.loaded = self.loaded, []
        for callback in loaded:
            callback()

    def _loaded_piece(self, offset: int, future: asyncio.Future[bytes]) -> None:
        if self.refusal is not LOADING or future.cancelled():
            return
        if (failure := future.exception()) is not None:
            self._could_not_read(offset, failure)
            return
        try:
            offset = self._replay(future.result(), offset)
        except (StorageFailed, OSError) as failed:  # before anything of this step was replayed
            self._could_not_read(offset, failed)
        except (WireError, AssertionError) as broken:
            log.error("coordinator could not read its log", partition=str(self.partition), reason=repr(broken))
            self.refusal = MOVED
        else:
            if offset < self.partition.log.end_offset:  # markers may have come meanwhile
                self._loop.call_soon(self._load_from, offset)
            else:
                self._load_from(offset)

    def _could_not_read(self, offset: int, failure: BaseException) -> None:
        log.error("coordinator could not read its log", partition=str(self.partition), reason=repr(failure))
        self._loop.call_later(RELOAD_S, self._load_from, offset)

    def _replay(self, buffer: bytes, offset: int) -> int:
        """Replay the whole batches in a piece of the log; the offset to go on from.

        The topic is compacted: a key's last value says all, so earlier ones in the same piece aren't even decoded. Not
        so in transactions, which may be aborted.
        """
        view, position, begun = memoryview(buffer), 0, offset
        # Tombstones are kept apart: they say something about what is pending, too.
        last: dict[tuple[bytes, bool], bytes | None] = {}
        while position + batches.HEADER_SIZE <= len(view):
            header = batches.header_at(view, position)
            following = position + header.length
            if following > len(view):
                break
            if header.next_offset > offset:
                batch = view[position:following]
                if not batches.crc_ok(view, header):
                    raise WireError(f"the batch at offset {header.base_offset} fails its CRC")
                if header.is_transactional:
                    self._replay_last(last)
                    self._replay_transactional(header, batch, offset)
                elif not header.is_control:
                    for record in records.iterate(batch):
                        if record.offset >= offset and record.key is not None:
                            place = record.key, record.value is None
                            before = last.pop(place, None)
                            if before is not None and before[:2] != (record.value or b"")[:2]:
                                # Of another version, which may mean nothing here: then the one before still counts.
                                self._replay_last({place: before})
                            last[place] = record.value
                offset = header.next_offset
            position = following
        if offset == begun:
            raise WireError(f"no whole batch at offset {offset}")
        self._replay_last(last)
        return offset

    def _replay_last(self, last: dict[tuple[bytes, bool], bytes | None]) -> None:
        for (key, _), value in last.items():
            decoded = self._decode(key, value)
            if decoded is not None:
                self.machine.replay(*decoded)
        last.clear()

    def _decode(self, key: bytes, value: bytes | None) -> tuple[Any, Any] | None:
        try:
            return self._codec.read(key, value)
        except WireError as unknown:
            # A record of a newer broker's making: it means nothing to this one, and must not stop the rest.
            log.warning("coordinator skips a record", partition=str(self.partition), reason=str(unknown))
            return None

    def _replay_transactional(self, header: BatchHeader, batch: memoryview, offset: int) -> None:
        """A batch in a transaction, or its marker. Only machines that write in transactions know what to do with it."""

    def _replay_in_transaction(self, producer_id: int, key: Any, value: Any) -> None:
        raise AssertionError("this machine writes nothing in transactions")

    def _rebuild(self, broken: AssertionError) -> None:
        log.error("coordinator broke an invariant and is rebuilt", partition=str(self.partition), exc_info=broken)
        self._stop_timer()
        self.refusal = LOADING
        self._refuse_all(MOVED)
        self.machine = self._build()
        self._load()

    def close(self) -> None:
        """The partition is led elsewhere, or the broker stops."""
        self._stop_timer()
        self.refusal = MOVED
        self._refuse_all(MOVED)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
