"""Requests that carry next to nothing: what a broker costs when nothing but its own work is asked, five in flight."""

from __future__ import annotations

from tests.bench import frames
from tests.bench.figure import Figure, Run, at_most
from tests.bench.frames import KB
from tests.bench.stand import Stand, ready_to_commit

COUNT = 20_000
THOUSAND = 1000


def after_warm_up(stand: Stand, key: int, frame: bytes, count: int) -> Run:
    stand.drive([[frame]], max(20, count // 10))
    return stand.measured(key, [[frame]], count)


def fetch(stand: Stand) -> Run:
    topic = stand.once("small: empty topic", stand.topic)
    return after_warm_up(stand, frames.FETCH, frames.fetch_frame(topic, 0, KB, 0, 0), stand.scaled(COUNT))


def metadata(stand: Stand) -> Run:
    topic = stand.once("small: empty topic", stand.topic)
    return after_warm_up(stand, frames.METADATA, frames.metadata_frame(topic), stand.scaled(COUNT))


def offset_commit(stand: Stand) -> Run:
    topic = stand.once("small: empty topic", stand.topic)
    stand.once("small: group", lambda: ready_to_commit(stand.port, topic))
    return after_warm_up(stand, frames.OFFSET_COMMIT, frames.commit_frame(topic, topic), stand.scaled(COUNT))


def metadata_of_many(stand: Stand) -> Run:
    """All topics at once, as an admin tool or a pattern subscription asks; made for each run, since others' figures
    shouldn't carry them."""
    count = stand.scaled(THOUSAND)
    names = [f"many-{i:04}" for i in range(count)]
    for at in range(0, count, 200):
        frames.create_topics_of(stand.port, names[at : at + 200])
    found = after_warm_up(stand, frames.METADATA, frames.metadata_frame(*names), stand.scaled(1000))
    stand.drop(*names)
    return found


CPU_RATE = ("cpu_us", "rate")
FIGURES = [
    Figure("small/fetch", "Fetch of an empty partition that doesn't wait", fetch, CPU_RATE),
    Figure("small/metadata", "Metadata of one topic", metadata, CPU_RATE, {"cpu_us": at_most(0.5)}),
    Figure("small/offset-commit", "OffsetCommit of one partition", offset_commit, CPU_RATE),
    Figure("small/metadata-1000", "Metadata of 1,000 topics", metadata_of_many, CPU_RATE, pairs=2, weight=35),
]
