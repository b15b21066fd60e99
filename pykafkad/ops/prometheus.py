"""Metrics as Prometheus reads them.

A scrape of a broker with thousands of partitions is tens of thousands of lines; it is written in slices, and between
two slices the loop serves clients. prometheus_client, for the figures of the process itself, is loaded at the first
scrape, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pykafkad.logs import log
from pykafkad.metrics import DECLARED, QUANTILES, Metrics, quantile

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SLICE_LINES = 250


async def exposition(metrics: Metrics) -> bytes:
    """All metrics as text."""
    loop = asyncio.get_running_loop()
    process = await loop.run_in_executor(None, _process)
    lines = all_lines(metrics)
    text: list[str] = []
    while slice_ := list(islice(lines, SLICE_LINES)):
        text += slice_
        await asyncio.sleep(0)
    return ("\n".join(text) + "\n").encode() + process


def all_lines(metrics: Metrics) -> Iterator[str]:
    """Every line about the broker, in the order of the declarations."""
    for name, declared in DECLARED.items():
        samples: Iterable[tuple[tuple[str, ...], Any]] = ()
        if declared.kind == "counter":
            samples = [(labels, cell.value) for labels, cell in metrics.counters.get(name, {}).items()]
        elif declared.kind == "summary":
            samples = list(metrics.summaries.get(name, {}).items())
        else:
            samples = _read(metrics, name)
        first = True
        for labels, value in samples:
            if first:
                yield f"# HELP {name} {declared.help}"
                yield f"# TYPE {name} {declared.kind}"
                first = False
            written = ",".join(
                f'{label}="{escaped(text)}"' for label, text in zip(declared.labels, labels, strict=True)
            )
            if declared.kind == "summary":
                comma = "," if written else ""
                buckets, total = value.read()
                for fraction in QUANTILES:
                    yield f'{name}{{{written}{comma}quantile="{fraction}"}} {quantile(buckets, fraction):.6g}'
                yield f"{name}_count{{{written}}} {sum(buckets)}"
                yield f"{name}_sum{{{written}}} {total:.6f}"
            else:
                number = int(value) if value is True or value is False else value
                yield f"{name}{{{written}}} {number}" if written else f"{name} {number}"


def _read(metrics: Metrics, name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A gauge's samples; one that fails is left out and doesn't take the others with it."""
    read = metrics.gauges.get(name)
    if read is None:
        return
    try:
        yield from read()
    except Exception as error:
        log.warning("a metric can't be read", metric=name, exc_info=error)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _process() -> bytes:
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry)
