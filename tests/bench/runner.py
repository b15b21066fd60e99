"""Takes figures in turn (ours, theirs, ours, theirs …), shows how far it is, says what came out."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.bench import page
from tests.bench.clients import Unavailable
from tests.bench.figure import Figure, Run
from tests.bench.stand import Stand


class Runner:
    def __init__(
        self,
        kinds: Sequence[str],
        directory: Path,
        *,
        scale: float,
        pairs: int | None,
        touch: int | None,
        seconds: float,
    ) -> None:
        self.stands = [Stand(kind, directory / kind, scale, touch) for kind in kinds]
        if len(self.stands) == 2:
            self.stands[0].rival, self.stands[1].rival = self.stands[1], self.stands[0]
        self.pairs, self.seconds, self.began = pairs, seconds, time.monotonic()
        self.passed = self.planned = 0.0  # by the figures' weights
        self.broken: list[str] = []
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.progress.add_task("starting", total=None)

    def turns(self, figure: Figure) -> int:
        turns = figure.turns(hurried=self.late())
        return min(turns, self.pairs) if self.pairs else turns

    def late(self) -> bool:
        """Whether more of the time than of the work is gone; the first tenth doesn't tell yet."""
        gone = time.monotonic() - self.began
        return gone > 0.1 * self.seconds and gone / self.seconds > self.passed / max(1.0, self.planned)

    def say(self, text: str) -> None:
        self.progress.update(self.task, description=text[:60].ljust(60))
        if not self.console.is_terminal:
            self.console.print(f"{time.strftime('%H:%M:%S')} {text}", highlight=False, soft_wrap=True)

    def all(self, figures: Sequence[Figure]) -> Iterator[tuple[Figure, dict[str, list[Run]]]]:
        """Each figure with its runs as soon as they are there; one that breaks is named and left out."""
        self.planned = sum(f.turns() * f.weight for f in figures)
        self.progress.update(self.task, total=self.planned)
        with self.progress:
            try:
                for figure in figures:
                    found = self.one(figure)
                    self.passed += figure.turns() * figure.weight
                    self.progress.update(self.task, completed=self.passed)
                    if found:
                        yield figure, found
            finally:
                self.close()

    def one(self, figure: Figure) -> dict[str, list[Run]] | None:
        runs: dict[str, list[Run]] = {stand.kind: [] for stand in self.stands}
        try:
            if figure.fresh:
                self.close()
                if figure.name == "life/start":
                    for stand in self.stands:  # what the first start of all reads from the disk is nobody's figure
                        figure.run(stand)
            else:
                self.up()
            turns = self.turns(figure)
            for i in range(turns):
                for stand in self.stands:
                    self.say(f"{figure.name}: {stand.kind}, run {i + 1} of {turns}")
                    runs[stand.kind].append(figure.run(stand))
                    self.progress.advance(self.task, figure.weight / len(self.stands))
        except Unavailable as missing:
            self.say(f"{figure.name} is left out: {missing}")
            return None
        except Exception as error:  # whatever it is, the other figures are still wanted
            self.broken.append(f"{figure.name}: {type(error).__name__}: {error}")
            self.progress.print(f"{figure.name} broke: {type(error).__name__}: {error}", markup=False, soft_wrap=True)
            self.close()  # a broker that something went wrong with isn't one to measure
            return None
        for line in page.lines(figure, runs):
            print(line, flush=True)
        return runs

    def up(self) -> None:
        for stand in self.stands:
            if not stand.up():
                self.say(f"{stand.kind}: starting")
                stand.start()
                stand.warm(self.say)

    def close(self) -> None:
        for stand in self.stands:
            with contextlib.suppress(OSError):
                stand.close()
