"""Moves: partitions on their way from one log directory to another (AlterReplicaLogDirs), each a task of its own.

A worker thread copies a piece at a time while the partition is read and written; the loop does the swap, when at most
one piece is missing and no sync is under way, so that what is acknowledged after it is durable in the new place. A move
outlives a restart: its ``-future`` folder says that it was wanted, and what is complete in there is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused, StorageFailed
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.runtime.refusals import RECOVERING
from pykafkad.runtime.tasks import Tasks
from pykafkad.storage import names

if TYPE_CHECKING:
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.storage.directory import LogDir
    from pykafkad.storage.moving import Mirror

Key = TopicPartition

ROLL_ABOVE = 16 * 1024 * 1024
"""An active segment larger than this is closed before the swap, which would copy its indexes on the loop."""
RETRY_SECONDS = 5
SETTLE_SECONDS = 0.01
"""Before the next look whether to go on: more came than a swap may bring, or a cleaner is at work."""


class _Move:
    __slots__ = ("mirror", "target", "task")

    def __init__(self, target: LogDir) -> None:
        self.target = target
        self.mirror: Mirror | None = None
        self.task: asyncio.Task[None] | None = None


class Moves:
    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._moves: dict[Key, _Move] = {}
        self._threads: asyncio.Semaphore | None = None
        self._tasks = Tasks()

    def __contains__(self, key: Key) -> bool:
        return key in self._moves

    def target(self, key: Key) -> LogDir | None:
        """Where a partition is moving to."""
        move = self._moves.get(key)
        return None if move is None else move.target

    def arriving(self, log_dir: LogDir) -> Iterator[tuple[Key, int, int]]:
        """(partition, bytes, offsets that it lacks) of those that are on their way to a directory."""
        for key, move in self._moves.items():
            mirror = move.mirror
            if move.target is log_dir and mirror is not None:
                yield key, mirror.size, max(0, mirror.log.end_offset - mirror.end_offset)

    # -- begin and end -------------------------------------------------------------------------------------------------

    def begin(self, key: Key, target: LogDir, unique: str = "") -> None:
        """Move a partition that is open; a move of it that is under way goes elsewhere."""
        self.cancel(key)
        move = self._moves[key] = _Move(target)
        work = self._run(key, move, unique or target.disk.new_uuid().hex())
        move.task = self._tasks.start(f"move {key[0]}-{key[1]}", work)

    def cancel(self, key: Key) -> None:
        """Call a move off; its folder goes."""
        move = self._moves.pop(key, None)
        if move is None:
            return
        events.info("move called off", partition=f"{key[0]}-{key[1]}", to=move.target.path)
        if move.task is not None:
            move.task.cancel()

    def rest(self, key: Key) -> None:
        """The partition is lost until the next start, and so its move; what was brought over may be the only copy."""
        move = self._moves.pop(key, None)
        if move is None:
            return
        events.warning("move rests until the next start", partition=f"{key[0]}-{key[1]}", to=move.target.path)
        move.mirror = None  # keeps its folder
        if move.task is not None:
            move.task.cancel()

    def resume(self) -> None:
        """Go on with what was under way when the broker stopped."""
        partitions, waiting = self._partitions, self._partitions.dirs.interrupted
        for target, marked in list(waiting):
            key = TopicPartition(marked.topic, marked.partition)
            found = partitions.get(*key)
            if not isinstance(found, Refused):
                waiting.remove((target, marked))
                if found.log.log_dir == target.path:
                    target.doom(f"{target.path}/{names.future_directory_name(*key, marked.unique)}", 0)
                else:
                    self.begin(key, target, marked.unique)
            elif found is not RECOVERING and found.code in (
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
            ):
                waiting.remove((target, marked))
                target.doom(f"{target.path}/{names.future_directory_name(*key, marked.unique)}", 0)

    async def stop(self) -> None:
        """Let every move rest where it is, to go on at the next start."""
        for move in self._moves.values():
            move.mirror = None  # keeps its folder
        self._moves = {}
        await self._tasks.stop()

    def abandon(self) -> None:
        """Let go as a crash would; for tests."""
        for move in self._moves.values():
            move.mirror = None
            if move.task is not None:
                move.task.cancel()
        self._moves = {}

    # -- one move ------------------------------------------------------------------------------------------------------

    async def _run(self, key: Key, move: _Move, unique: str) -> None:
        from pykafkad.storage.moving import Mirror

        loop, partitions = asyncio.get_running_loop(), self._partitions
        partition = partitions.local(*key)
        source = partitions.dirs.homes.get(key)
        if partition is None or source is None:
            self._moves.pop(key, None)
            return
        name = f"{key[0]}-{key[1]}"
        mirror = move.mirror = Mirror(partition.log, source, move.target, unique)
        events.info("move begun", partition=name, source=source.path, to=move.target.path)
        copying: asyncio.Future[int] | None = None
        try:
            told = ""
            while not (source.health.failure or move.target.health.failure):
                if partition.log.cleaning:  # it began before, and will soon replace what would be copied
                    await asyncio.sleep(SETTLE_SECONDS)
                    continue
                try:
                    async with self._turn():
                        copying = loop.run_in_executor(None, mirror.copy)
                        copied = await asyncio.shield(copying)
                    if copied:
                        await self._pace(copied)
                    elif await self._finish(key, move, partition, mirror):
                        return
                    else:
                        await asyncio.sleep(SETTLE_SECONDS)
                except StorageFailed as failure:
                    if failure.reason != told:
                        told = failure.reason
                        events.error("move is held up", partition=name, to=move.target.path, reason=failure.reason)
                    await asyncio.sleep(RETRY_SECONDS)
            events.error("move given up: a log directory is offline", partition=name, to=move.target.path)
        except asyncio.CancelledError:
            if copying is not None and not copying.done():
                await asyncio.wait([copying])
            if move.mirror is not None and mirror.log.log_dir != move.target.path:
                await loop.run_in_executor(None, _discard, mirror)
            raise
        finally:
            if self._moves.get(key) is move:
                del self._moves[key]

    def _turn(self) -> asyncio.Semaphore:
        """``num.replica.alter.log.dirs.threads`` may copy at a time: as many as there are directories, by default."""
        if self._threads is None:
            config, dirs = self._partitions.config, self._partitions.dirs
            self._threads = asyncio.Semaphore(config.num_replica_alter_log_dirs_threads or max(1, len(dirs.opened)))
        return self._threads

    async def _pace(self, copied: int) -> None:
        rate = self._partitions.config.replica_alter_log_dirs_io_max_bytes_per_second
        await asyncio.sleep(copied / max(rate, 1) if rate < 1 << 40 else 0)

    async def _finish(self, key: Key, move: _Move, partition: Partition, mirror: Mirror) -> bool:
        """Nothing is missing, or was a moment ago: swap if that is still so."""
        log, partitions = partition.log, self._partitions
        if log.segments[-1].size > ROLL_ABOVE:
            try:
                log.roll(partitions.now())
                return False
            except StorageFailed:
                pass  # a full disk: then the swap takes a little longer
        swapped: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def swap() -> None:
            if swapped.done():
                return
            try:
                old = mirror.swap() if self._moves.get(key) is move else None
            except StorageFailed as failure:
                swapped.set_exception(failure)
                return
            if old is not None:  # now, not when this is heard of: who comes in between finds it done, and not to cancel
                partitions.moved(key, mirror.target)
                del self._moves[key]
            swapped.set_result(old)

        partitions.flusher.when_idle(partition, swap)
        old = await swapped
        if old is None:
            return False
        events.info("move done", partition=f"{key[0]}-{key[1]}", to=mirror.target.path, bytes=log.size)
        await self._leave(partition, mirror, old)
        return True

    async def _leave(self, partition: Partition, mirror: Mirror, old: str) -> None:
        """The old folder goes when the new one is sure to be found after a power cut."""
        flusher, log = self._partitions.flusher, partition.log
        while not (log.folder_durable or log.closed or mirror.target.health.failure):
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            flusher.request(partition, log.end_offset)
            flusher.when_idle(partition, lambda idle=idle: idle.done() or idle.set_result(None))  # type: ignore[misc]
            await idle
            if not log.folder_durable:
                await asyncio.sleep(RETRY_SECONDS)
        if log.folder_durable or (log.closed and not mirror.target.health.failure):
            mirror.source.doom(old, self._partitions.now() + partition.topic_config.file_delete_delay_ms)


def _discard(mirror: Mirror) -> None:
    try:
        mirror.discard()
    except OSError as error:
        events.error("could not remove a folder", directory=mirror.target.path, reason=str(error))
