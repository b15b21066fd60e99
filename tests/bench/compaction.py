"""What serving feels of a compaction: records at a fixed rate while gigabytes of keyed ones are cleaned beside them."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from kafkawire.api import incremental_alter_configs as alter
from kafkawire.records import build
from tests.bench import frames
from tests.bench.figure import Figure, Run
from tests.bench.frames import KB, MB
from tests.bench.latency import timed
from tests.bench.stand import GB, Stand

TOPIC, BROKER = 2, 4
KEYS, BATCHES, PER_BATCH = 20_000, 64, 250
SEGMENT = 128 * MB


def configure(stand: Stand, kind: int, name: str, **settings: object) -> None:
    wanted = [
        alter.AlterableConfig(name=key.replace("_", "."), config_operation=0, value=str(value))
        for key, value in settings.items()
    ]
    resource = alter.AlterConfigsResource(resource_type=kind, resource_name=name, configs=wanted)
    answer = frames.call(stand.port, frames.ALTER_CONFIGS, alter.Request(resources=[resource]))
    assert all(one.error_code == 0 for one in answer.responses), repr(answer)[:500]


def keyed(dice: random.Random) -> bytes:
    value = dice.randbytes(KB - 30)
    records = [(b"key-%06d" % dice.randrange(KEYS), value) for _ in range(PER_BATCH)]
    return bytes(build(records, timestamp=int(time.time() * 1000)))


def filled(stand: Stand, size: int) -> tuple[str, int]:
    """A topic whose records wait to be compacted, and how many bytes of it can be."""
    topic = stand.topic()
    configure(stand, TOPIC, topic, segment_bytes=SEGMENT)
    dice = random.Random(1)
    plan = [frames.produce_frame(topic, keyed(dice)) for _ in range(BATCHES)]
    done = stand.drive([plan], max(2 * SEGMENT, size) // len(plan[0]))
    frames.check(frames.PRODUCE, done.first)
    files = sorted(stand.files(topic))
    return topic, sum(Path(file).stat().st_size for file in files[:-1])


def beside(stand: Stand) -> Run:
    topic, dirty = filled(stand, int(2 * GB * stand.scale))
    configure(stand, BROKER, "", log_cleaner_backoff_ms=100)
    stand.touch(2 * GB)
    active = max(int(Path(file).name[:20]) for file in stand.files(topic))
    assert stand.broker is not None
    checkpoint = stand.broker.data / "cleaner-offset-checkpoint"
    took: list[float] = []

    def watch(began: float) -> None:
        while f"{topic} 0 {active}\n" not in (checkpoint.read_text() if checkpoint.exists() else ""):
            if time.perf_counter() - began > 120:
                return
            time.sleep(0.02)
        took.append(time.perf_counter() - began)

    configure(stand, TOPIC, topic, cleanup_policy="compact", min_cleanable_dirty_ratio=0.01)
    watcher = threading.Thread(target=watch, args=(time.perf_counter(),))
    watcher.start()
    found = timed(stand, 500, max(1.5, 6 * stand.scale))
    watcher.join()
    stand.drop(topic)
    assert took, "the compaction didn't end"
    found["clean_mb_s"] = dirty / took[0] / 1e6
    return found


FIGURES = [
    Figure(
        "latency/compaction",
        "500 per second beside a compaction of 2 GB",
        beside,
        ("p50_ms", "p99_ms", "p999_ms", "clean_mb_s"),
        weight=40,
    ),
]
