"""Where a round of compaction runs: in a process of its own, or right here for disks that only this process has.

The process is begun for the first round and ended after some time without one, so that a broker whose topics aren't
compacted pays nothing. Closing its input is all it takes to end it, in the middle of a round too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from typing import Protocol

from pykafkad.clock import stopwatch
from pykafkad.storage.cleaning.job import Cleaned, Failed, Finished, Job, decode, encode
from pykafkad.storage.disk import Disk

IDLE_SECONDS = 60.0
ENDS_WITHIN_SECONDS = 5.0
LINE_MAX = 64 * 1024 * 1024  # a line names every segment of a group
_MAIN = "from pykafkad.storage.cleaning.worker import main; main()"

Told = Cleaned | Finished | Failed


class WorkerDied(Exception):
    """The process that worked on the round is gone."""


class Rounds(Protocol):
    def run(self, job: Job) -> AsyncGenerator[Told, None]:
        """What the round tells, in order. Closing the generator before its end gives the round up. WorkerDied."""

    async def close(self) -> None:
        """There will be no more rounds."""


class InProcess:
    """Rounds in a worker process, one at a time."""

    def __init__(self) -> None:
        self._resting: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def run(self, job: Job) -> AsyncGenerator[Told, None]:
        process = self._take() or await self._begin()
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None
        over = False
        try:
            stdin.write(encode(job))
            while not over:
                line = await stdout.readline()
                if not line:
                    raise WorkerDied(f"the process ended with {await process.wait()}")
                told = decode(line)
                assert not isinstance(told, Job)
                over = not isinstance(told, Cleaned)
                yield told
        finally:
            if over:
                self._rest(process)
            else:
                await _end(process)

    def _take(self) -> asyncio.subprocess.Process | None:
        process, self._resting = self._resting, None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        return process if process is not None and process.returncode is None else None

    def _rest(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        self._resting = process
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, process.stdin.close)

    @staticmethod
    async def _begin() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _MAIN),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_MAX,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    async def close(self) -> None:
        if (process := self._take()) is not None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let it go and see it off: two rounds over one log would write the same files."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


class Here:
    """Rounds on the loop, for a disk that no other process can see."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def run(self, job: Job) -> AsyncGenerator[Told, None]:
        from pykafkad.storage.cleaning.worker import round_over

        for told in round_over(self._disk, job.directory, job, lambda count: None, stopwatch):
            yield told
            await asyncio.sleep(0)

    async def close(self) -> None:
        pass
