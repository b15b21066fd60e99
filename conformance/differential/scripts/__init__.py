"""What is asked. A script is a function of one side; a family is a module of them.

``@script`` makes one script of a function, ``@each_version("fetch")`` one for each version that both brokers serve.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from conformance.differential.side import Side, Versions

FAMILIES = (
    "edges",
    "hostile",
    "produce",
    "fetch",
    "log_offsets",
    "groups",
    "group_offsets",
    "topics",
    "configs",
    "admin",
    "transactions",
    "transactional_log",
    "transaction_edges",
)

Make = Callable[[dict[str, Versions]], "Iterator[Script]"]
_makers: dict[str, list[Make]] = {}


class Script(NamedTuple):
    family: str
    name: str
    run: Callable[[Side], None]
    alone: bool


def script(*, alone: bool = False) -> Callable[[Callable[[Side], None]], Callable[[Side], None]]:
    def register(run: Callable[[Side], None]) -> Callable[[Side], None]:
        family = run.__module__.rpartition(".")[2]

        def make(_: dict[str, Versions]) -> Iterator[Script]:
            yield Script(family, f"{family} {run.__name__}", run, alone)

        _makers.setdefault(family, []).append(make)
        return run

    return register


def each_version(api: str, *, alone: bool = False, since: int = 0) -> Callable[[Callable[[Side, int], None]], Any]:
    def register(run: Callable[[Side, int], None]) -> Any:
        family = run.__module__.rpartition(".")[2]

        def make(served: dict[str, Versions]) -> Iterator[Script]:
            for version in served[api].each() if api in served else ():
                if version >= since:
                    name = f"{family} {run.__name__} v{version}"
                    yield Script(family, name, partial(_with_version, run, version), alone)

        _makers.setdefault(family, []).append(make)
        return run

    return register


def _with_version(run: Callable[[Side, int], None], version: int, side: Side) -> None:
    run(side, version)


def scripts_of(family: str) -> Callable[[Make], Make]:
    """For a family that makes its scripts from what is served."""

    def register(make: Make) -> Make:
        _makers.setdefault(family, []).append(make)
        return make

    return register


def collect(served: dict[str, Versions], only: Collection[str] | None = None) -> list[Script]:
    found: list[Script] = []
    for family in FAMILIES:
        if only is None or family in only:
            import_module(f"{__name__}.{family}")
            for make in _makers[family]:
                found.extend(make(served))
    return found
