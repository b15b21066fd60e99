"""Takes figures in turn (ours, theirs, ours, theirs …), shows how far it is, says what came out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from conformance.brokers import NotStarted
from tests.bench import page
from tests.bench.clients import Unavailable
from tests.bench.figure import Figure, Run
from tests.bench.stand import Stand

BREAKS = (AssertionError, LookupError, OSError, RuntimeError, NotStarted, subprocess.SubprocessError)


class Runner:
    def __init__(
        self, kinds: Sequence[str], directory: Path, *, scale: float, pairs: int | None, touch: int | None
    ) -> None:
        self.stands = [Stand(kind, directory / kind, scale, touch) for kind in kinds]
        if len(self.stands) == 2:
            self.stands[0].rival, self.stands[1].rival = self.stands[1], self.stands[0]
        self.pairs = pairs
        self.broken: list[str] = []
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.progress.add_task("starting", total=None)

    def turns(self, figure: Figure) -> int:
        return min(figure.turns(), self.pairs) if self.pairs else figure.turns()

    def say(self, text: str) -> None:
        self.progress.update(self.task, description=text[:60].ljust(60))
        if not self.console.is_terminal:
            self.console.print(f"{time.strftime('%H:%M:%S')} {text}", highlight=False, soft_wrap=True)

    def all(self, figures: Sequence[Figure]) -> Iterator[tuple[Figure, dict[str, list[Run]]]]:
        """Each figure with its runs as soon as they are there; one that breaks is named and left out."""
        self.progress.update(self.task, total=sum(self.turns(f) for f in figures) * len(self.stands))
        with self.progress:
            try:
                for figure in figures:
                    if found := self.one(figure):
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
            for i in range(self.turns(figure)):
                for stand in self.stands:
                    self.say(f"{figure.name}: {stand.kind}, run {i + 1} of {self.turns(figure)}")
                    runs[stand.kind].append(figure.run(stand))
                    self.progress.advance(self.task)
        except Unavailable as missing:
            self.say(f"{figure.name} is left out: {missing}")
            return None
        except BREAKS as error:
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
