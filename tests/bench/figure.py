"""What a figure is: a name, how one run of it is taken from one broker, which of its numbers the tables show, what is
wanted of them. A family is a module that lists its figures in `FIGURES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from tests.bench.ratios import Spread
    from tests.bench.stand import Stand

Run = dict[str, float]  # metric → value
Measure = Callable[["Stand"], Run]  # one run against one broker
GOAL_PAIRS, PAIRS = 5, 3
HURRIED_GOAL_PAIRS, HURRIED_PAIRS = 3, 1


class Metric(NamedTuple):
    text: str
    unit: str
    better: Literal["lower", "higher"]


METRICS = {
    "cpu_us": Metric("broker CPU per request", "µs", "lower"),
    "cpu_us_record": Metric("broker CPU per record", "µs", "lower"),
    "cpu_us_batch": Metric("broker CPU per batch", "µs", "lower"),
    "cpu_us_txn": Metric("broker CPU per transaction", "µs", "lower"),
    "cpu_s_gb": Metric("broker CPU per GB", "s", "lower"),
    "rate": Metric("requests per second", "1/s", "higher"),
    "mb_s": Metric("throughput", "MB/s", "higher"),
    "records_s": Metric("records per second", "1/s", "higher"),
    "txn_s": Metric("transactions per second", "1/s", "higher"),
    "commit_p50_ms": Metric("commit, p50", "ms", "lower"),
    "commit_p99_ms": Metric("commit, p99", "ms", "lower"),
    "first_txn_ms": Metric("init_transactions → first transaction committed", "ms", "lower"),
    "p50_ms": Metric("p50", "ms", "lower"),
    "p99_ms": Metric("p99", "ms", "lower"),
    "p999_ms": Metric("p99.9", "ms", "lower"),
    "p99_alone_ms": Metric("p99 alone, in between", "ms", "lower"),
    "p99_more": Metric("p99 beside it / alone", "×", "lower"),
    "max_ms": Metric("longest", "ms", "lower"),
    "bulk_mb_s": Metric("the bulk producer beside it", "MB/s", "higher"),
    "old_mb_s": Metric("the consumer of cold data beside it", "MB/s", "higher"),
    "clean_mb_s": Metric("the compaction beside it", "MB/s", "higher"),
    "ready_ms": Metric("start → ready", "ms", "lower"),
    "consumed_ms": Metric("start → first consumed record", "ms", "lower"),
    "idle_mb": Metric("memory, idle (RSS)", "MB", "lower"),
    "loaded_mb": Metric("memory after load (RSS)", "MB", "lower"),
    "partitions_mb": Metric("memory (RSS)", "MB", "lower"),
    "create_s": Metric("creating them", "s", "lower"),
    "partition_kb": Metric("memory per partition over the empty broker (RSS)", "KB", "lower"),
    "files": Metric("open files", "", "lower"),
    "stop_s": Metric("clean stop", "s", "lower"),
    "restart_s": Metric("restart → a record fetched", "s", "lower"),
    "recover_s": Metric("restart after kill -9 → a record fetched", "s", "lower"),
    "metadata_ms": Metric("Metadata of all of them, answered", "ms", "lower"),
    "metadata_cpu_ms": Metric("Metadata of all of them, broker CPU", "ms", "lower"),
    "connection_kb": Metric("memory per connection", "KB", "lower"),
    "connected_mb": Metric("memory (RSS)", "MB", "lower"),
    "cold_rate": Metric("1 KB Produce per second, cold", "1/s", "higher"),
    "cold_cpu_us": Metric("broker CPU per 1 KB Produce, cold", "µs", "lower"),
    "cold_metadata_us": Metric("broker CPU per Metadata, cold", "µs", "lower"),
    "sendfile_mb": Metric("moved by sendfile", "MB", "higher"),
    "copied_mb": Metric("moved through the broker's memory", "MB", "lower"),
}


class Goal(NamedTuple):
    """What the ratio ours / Apache Kafka's should be; with a unit, what ours should be, whatever Apache Kafka's is."""

    sign: Literal["≤", "≥"]
    bound: float
    unit: str = ""

    def reached(self, found: float) -> bool:
        return found <= self.bound if self.sign == "≤" else found >= self.bound

    def of(self, ours: Spread | None, ratio: Spread | None) -> Spread | None:
        """Which of the two it is about."""
        return ours if self.unit else ratio

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Figure:
    name: str  # the family, and what tells it from its sisters: produce/16KB/5
    text: str
    run: Measure
    shows: Sequence[str]
    goals: Mapping[str, Goal] = field(default_factory=dict)
    pairs: int = 0
    weight: float = 6  # seconds that a pair takes on two quiet cores, about
    fresh: bool = False  # it starts its own brokers, and none of ours should be in its way

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]

    def turns(self, *, hurried: bool = False) -> int:
        """How many runs of each broker; fewer when there is no time for all."""
        if hurried:
            return min(self.turns(), HURRIED_GOAL_PAIRS if self.goals else HURRIED_PAIRS)
        return self.pairs or (GOAL_PAIRS if self.goals else PAIRS)


def at_most(bound: float) -> Goal:
    return Goal("≤", bound)


def at_least(bound: float) -> Goal:
    return Goal("≥", bound)


def within(ms: float) -> Goal:
    return Goal("≤", ms, "ms")


Results = dict[str, Any]  # what docs/performance.json holds
