"""The transaction coordinator of this broker: the shards of ``__transaction_state`` that it leads.

What the machine decides is in ``state/transactions``; how partitions are told, in ``endings.py``. Here the two meet the
rest of the broker: producer ids, the calendar, the cluster's transaction version, and partitions that ask whether a
batch may join a transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import Coordinators
from pykafkad.runtime.refusals import MOVED
from pykafkad.runtime.tasks import Tasks

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.cluster.image import ClusterImage
    from pykafkad.config import Config
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.endings import Endings, WriteMarker
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.runtime.producer_ids import ProducerIds
    from pykafkad.runtime.shard import Shard
    from pykafkad.state.transactions.ledger import TransactionMachine

    TransactionShard = Shard[TransactionMachine]

TRANSACTIONS_TOPIC = "__transaction_state"
FEATURE = "transaction.version"
_BUMPING = 2
_LOADS = 50

R = TypeVar("R")


class Transactions(Coordinators["TransactionMachine"]):
    topic = TRANSACTIONS_TOPIC

    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        metrics: Metrics,
        partitions: Partitions,
        node_id: int,
        producer_ids: ProducerIds,
        write_marker: WriteMarker,
    ) -> None:
        super().__init__(partitions, node_id)
        self._config = config
        self._clock = clock
        self._image: ClusterImage | None = None
        self._version = _BUMPING
        self._endings: dict[int, Endings] = {}
        self._tasks = Tasks()
        self.load_times: deque[int] = deque(maxlen=_LOADS)  # of the last partitions, in ms
        self._producer_ids = producer_ids
        self._write_marker = write_marker
        prefix = "kafka_coordinator_transaction_transactioncoordinator_"
        self._ended = {
            True: metrics.counter(prefix + "committed_total"),
            False: metrics.counter(prefix + "aborted_total"),
        }
        self._timed_out = metrics.counter(prefix + "timedout_total")
        self.fenced = metrics.counter(prefix + "fenced_total")
        self._unverified = metrics.counter("kafka_server_addpartitionstotxnmanager_verificationfailure_total")

    def _build(self, partition: Partition) -> TransactionShard:
        from pykafkad.runtime.transaction_shards import transaction_shard

        shard, endings = transaction_shard(
            partition, self._config, self._clock, lambda: self._version, self._write_marker, self._exists, self._ended
        )
        self._endings[partition.index] = endings
        begun = self._clock.now_ms()
        shard.when_loaded(lambda: self.load_times.append(self._clock.now_ms() - begun))
        return shard

    def _exists(self, topic: str, index: int) -> bool:
        found = self._image.topic(topic) if self._image is not None else None
        return found is not None and 0 <= index < len(found.partitions)

    # ── the cluster changes ──

    def apply(self, old: ClusterImage, new: ClusterImage) -> None:
        self._image = new
        version = new.features.get(FEATURE, 0)
        if version != self._version:
            self._version = version
            for shard in self.shards():
                shard.machine.version = version
        super().apply(old, new)
        for index in [index for index in self._endings if index not in self._shards]:
            self._endings.pop(index).stop()

    def stop(self) -> None:
        for endings in self._endings.values():
            endings.stop()
        self._endings.clear()
        super().stop()

    # ── asking ──

    def with_producer_id(
        self, transactional_id: str, shard: TransactionShard, ask: Callable[[int | None], R | asyncio.Future[R]]
    ) -> R | Awaitable[R]:
        """Ask with a producer id that nobody had yet, if the transactional id may need one."""
        if not shard.machine.needs_producer_id(transactional_id):
            return ask(None)
        producer_id = self._producer_ids.at_hand()
        if producer_id is not None:
            return ask(producer_id)

        async def after_next_block() -> R:
            try:
                fresh: int | None = await self._producer_ids.next()
            except Exception:
                fresh = None  # already in the log, once for all who wait; the machine says that it lacks one
            answer = ask(fresh)
            return await answer if isinstance(answer, asyncio.Future) else answer

        return after_next_block()

    def verify(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Sequence[tuple[str, int]],
        now: int,
        *,
        add: bool,
        at_once: bool = False,
    ) -> list[ErrorCode] | asyncio.Future[list[ErrorCode]]:
        """A code for each partition that a producer wants to write to within its transaction.

        ``add``: they join the transaction by this (version 2), which waits a moment for the end of the one before;
        otherwise they must have joined it (version 1), or it is TRANSACTION_ABORTABLE. ``at_once``: nothing is waited
        for, and no refusal counted, since whoever asks so will ask again.
        """

        def translate(body: Any) -> list[ErrorCode]:
            if isinstance(body, Refused):
                self.fenced.value += not at_once and body.code == ErrorCode.PRODUCER_FENCED
                self._unverified.value += 0 if at_once else len(partitions)
                return [body.code] * len(partitions)
            codes = getattr(body, "codes", None)
            if codes is None:
                return [ErrorCode.NONE] * len(partitions)
            self._unverified.value += 0 if at_once else len(codes) - codes.count(ErrorCode.NONE)
            return list(codes)

        shard = self.shard(transactional_id)
        if isinstance(shard, Refused):
            return translate(shard)
        if not add:
            return shard.ask(
                now,
                translate,
                shard.machine.verify,
                transactional_id=transactional_id,
                producer_id=producer_id,
                epoch=producer_epoch,
                partitions=partitions,
            )

        def join(now: int) -> list[ErrorCode] | asyncio.Future[list[ErrorCode]]:
            if shard.refusal is not None:
                return translate(MOVED)
            return shard.ask(
                now,
                translate,
                shard.machine.add_partitions,
                transactional_id=transactional_id,
                producer_id=producer_id,
                epoch=producer_epoch,
                partitions=partitions,
                client_version=_BUMPING,
            )

        answer = join(now)
        if at_once or isinstance(answer, asyncio.Future) or answer[0] != ErrorCode.CONCURRENT_TRANSACTIONS:
            return answer
        return self._tasks.start("join a transaction", self._join_after(join, answer))

    async def _join_after(
        self, join: Callable[[int], list[ErrorCode] | asyncio.Future[list[ErrorCode]]], codes: list[ErrorCode]
    ) -> list[ErrorCode]:
        """The transaction before is decided and has yet to reach its partitions: version 2 waits here."""
        until = self._clock.now_ms() + self._config.add_partitions_to_txn_retry_backoff_max_ms
        while codes[0] == ErrorCode.CONCURRENT_TRANSACTIONS and self._clock.now_ms() < until:
            await asyncio.sleep(self._config.add_partitions_to_txn_retry_backoff_ms / 1000)
            answer = join(self._clock.now_ms())
            codes = await answer if isinstance(answer, asyncio.Future) else answer
        return codes

    # ── what time brings ──

    def abort_overdue(self, now: int) -> Iterator[None]:
        """End transactions that outlived their timeout; a slice of work per shard, for the calendar."""
        for shard in self.shards():
            if shard.machine.open:
                before = len(shard.machine.open)
                fresh = self._fresh(shard.machine.producer_ids_for_overdue(now))
                shard.tell(now, shard.machine.abort_overdue, now, fresh)
                self._timed_out.value += before - len(shard.machine.open)
                yield

    def _fresh(self, count: int) -> list[int]:
        """Producer ids that nobody had yet, as many as are at hand; if some are lacking, they are asked for."""
        at_hand = self._producer_ids.at_hand
        fresh = [one for one in (at_hand() for _ in range(count)) if one is not None]
        if len(fresh) < count:
            self._tasks.start("producer ids for transactions that are overdue", self._producer_ids.next())
        return fresh

    def expire(self, now: int) -> Iterator[None]:
        """Forget transactional ids that nobody uses; a slice of work per shard."""
        for shard in self.shards():
            shard.tell(now, shard.machine.expire, now)
            yield

    # ── gauges ──

    def open(self) -> Iterator[tuple[str, int]]:
        """(transactional id, when it began) of every open transaction."""
        from pykafkad.state.transactions.stored import started_at

        for shard in self.shards():
            machine = shard.machine
            for transactional_id in machine.open:
                yield transactional_id, started_at(machine.transactions[transactional_id].phase)

    def untold(self, transactional_id: str) -> Collection[tuple[str, int]] | None:
        """The partitions that have yet to hear of a transaction's end; None: nothing is on its way."""
        endings = self._endings.get(self.index(transactional_id)) if self._count else None
        return None if endings is None else endings.untold(transactional_id)

    def unsent_markers(self) -> int:
        return sum(one.unsent for one in self._endings.values())

    def unwritten_ends(self) -> int:
        return sum(one.unwritten for one in self._endings.values())
