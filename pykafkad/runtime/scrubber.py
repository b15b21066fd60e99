"""The scrubber: reads closed segments, slowly and again and again, and finds what a disk has let decay.

Consumers get records from the page cache by sendfile, so the broker itself never looks at what it serves; the last
guard is the client's own check of the CRC. Here a thread reads a small piece at a time, at a pace that nobody notices,
and checks each batch. What is damaged is told with file and byte, counted, and from then on answered with
CORRUPT_MESSAGE instead of being served; everything around it is served as before.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from pykafkad.clock import stopwatch
from pykafkad.logs import log as events
from pykafkad.runtime.tasks import Tasks
from pykafkad.storage import names

if TYPE_CHECKING:
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.storage.aborts import AbortedCheck, Difference
    from pykafkad.storage.segment import Segment

PIECE = 64 * 1024
"""Read and checked at once: a quarter of a millisecond of small batches, in which the loop would have to wait."""


class Scrubber:
    def __init__(self, partitions: Partitions, metrics: Metrics) -> None:
        self._partitions = partitions
        self._tasks = Tasks()
        self._read = metrics.counter("kafka_log_logmanager_scrubbedbytes_total")
        metrics.gauge("kafka_log_logmanager_corruptbatches", self.known)

    def known(self) -> int:
        """Damaged stretches that are known, of all open partitions."""
        return sum(len(partition.log.damage) for partition in self._partitions.all())

    def start(self) -> None:
        if self._partitions.config.log_scrub_max_bytes_per_second:
            self._tasks.start("scrubber", self._run())

    async def stop(self) -> None:
        await self._tasks.stop()

    def abandon(self) -> None:
        """Let go as a crash would; for tests."""
        self._tasks.cancel()

    async def _run(self) -> None:
        config = self._partitions.config
        await asyncio.sleep(config.log_initial_task_delay_ms / 1000)
        while True:
            begun = stopwatch()
            await self.once()
            await asyncio.sleep(max(1.0, config.log_scrub_interval_ms / 1000 - (stopwatch() - begun)))

    async def once(self) -> None:
        """Look at everything that is closed."""
        for number, partition in enumerate(self._partitions.all()):
            if number % 256 == 255:
                await asyncio.sleep(0)
            for segment, following in pairwise(partition.log.segments):
                try:
                    await self._look(partition, segment, following.base_offset)
                except OSError as error:  # retention took it, or the disk can't read it, which is a finding, too
                    if segment in partition.log.segments:
                        name = f"{partition.topic}-{partition.index}"
                        events.error("cannot read a segment", partition=name, file=segment.path, reason=str(error))

    async def _look(self, partition: Partition, segment: Segment, following: int) -> None:
        from pykafkad.storage.aborts import AbortedCheck  # no start needs them
        from pykafkad.storage.verify import SegmentCheck

        loop, rate = asyncio.get_running_loop(), self._partitions.config.log_scrub_max_bytes_per_second
        log, disk, base = partition.log, partition.log.place.disk, segment.base_offset
        aborts = await loop.run_in_executor(None, AbortedCheck, disk, log.directory, base)
        check = SegmentCheck(disk, segment.path, base, segment.size, following, PIECE, aborts)
        while not check.done:
            before = check.position
            await loop.run_in_executor(None, check.step)
            read = check.position - before
            self._read.value += read
            await asyncio.sleep(read / max(rate, 1))
        if log.cleaning or segment not in log.segments:
            return  # compaction has replaced it, or is about to, or it is gone
        known = {one.finding for one in log.damage}
        for damage in check.damage:
            if damage.finding not in known:
                where = damage.finding
                events.error(
                    "a batch is damaged and will not be served",
                    partition=f"{partition.topic}-{partition.index}",
                    file=where.path,
                    position=where.position,
                    offset=damage.first_offset,
                    reason=where.reason,
                )
        await self._mend(partition, segment, aborts)
        others = [one for one in log.damage if not segment.base_offset <= one.first_offset < following]
        log.damage = tuple(sorted([*others, *check.damage], key=lambda one: one.first_offset))

    async def _mend(self, partition: Partition, segment: Segment, aborts: AbortedCheck) -> None:
        """Its index of aborted transactions has no checksum: it is what the batches say, or is written anew."""
        from pykafkad.storage.transactions import adopt, encode

        loop, log, found = asyncio.get_running_loop(), partition.log, aborts.found
        place, path = log.place, segment.place.path(segment.base_offset, names.TXN_INDEX)

        def differences() -> list[Difference]:
            data = place.disk.read(path) if place.disk.exists(path) else None
            return list(aborts.differences(data, newest=False))

        for position, reason in await loop.run_in_executor(None, differences):
            events.error(
                "an index of aborted transactions is damaged",
                partition=f"{partition.topic}-{partition.index}",
                file=path,
                position=position,
                reason=reason,
                mended=aborts.exact,
            )
            if aborts.exact:
                await loop.run_in_executor(None, place.disk.replace, path, encode(found))
                if segment in log.segments:
                    adopt(log, segment)
