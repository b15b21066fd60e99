"""Any bytes in any file of a log directory: the documented refusal or a true reading, never anything else.

What is damaged decides what may come of it. Indexes, snapshots and recovery points are hints: no answer changes. A log
itself has lost something: what is served is what was written, or fails its CRC and so says that it isn't.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkawire.batches import BatchHeader, crc_ok
from kafkawire.errors import WireError
from kafkawire.stored import group_log, share_log, txn_log
from pykafkad.errors import ConfigError, StorageFailed
from pykafkad.model import Aborted, ProducerEntry, TopicPartition
from pykafkad.state.sequences import Producers
from pykafkad.storage import checkpoints, names, snapshots, transactions
from pykafkad.storage.checkpoints import CorruptCheckpoint
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.snapshots import CorruptSnapshot
from pykafkad.storage.verify import Verifier
from tests.kit.disk import MemoryDisk
from tests.kit.lives import Life, identity
from tests.storage.helpers import open_dir, open_log, whole_batches

CONFIG: dict[str, Any] = {"internal_segment_bytes": 1_500, "index_interval_bytes": 100}


@cache
def written(clean: bool) -> tuple[dict[str, bytes], list[BatchHeader], bytes]:
    """The files of a directory with a history, its batches, and the topic's id."""
    life = Life(MemoryDisk(5), partitions=1, **CONFIG)
    for number in range(30):
        if number % 10 == 0:
            life.new_epoch()
        life.write(0, [1, 2], 40, 1 if number % 3 == 0 else 0, (-1, 7, 8)[number % 3])
        if number % 4 == 0:
            life.write(0, [1], 40, 0, (21, 22)[number // 4 % 2])
        if number % 4 == 3:
            life.end(0, (21, 22, 22)[number % 3], number % 5 == 0)
    if clean:
        life.stop()
    else:
        life.flush(0)
        life.checkpoint()
        life.write(0, [3], 40, 0, 7)
        life.disk.kill()
    disk = life.disk
    paths = [f"/data/{name}" for name in disk.list("/data") if not disk.is_directory(f"/data/{name}")]
    paths += [f"/data/t-0/{name}" for name in disk.list("/data/t-0")]
    files = {path: disk.read(path) for path in sorted(paths)}
    assert sum(path.endswith(names.TXN_INDEX) for path in files) > 1
    return files, life.truths[0].batches, life.truths[0].topic_id


def replayed(batches: list[BatchHeader], files: dict[str, bytes]) -> Producers:
    """Producers as the batches make them; what markers say is read from the undamaged log."""
    producers, raw = Producers(), b"".join(data for path, data in files.items() if path.endswith(names.LOG))
    position = 0
    for batch in batches:
        producers.replay(batch, raw[position : position + batch.length] if batch.is_control else None)
        position += batch.length
    return producers


def restored(files: dict[str, bytes]) -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_directory("/data/t-0")
    for path, data in files.items():
        disk.open(path, create=True).append(data)
    return disk


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Flipped bits, a missing end, a foreign one, a hole of zeros, or something else altogether."""
    found = bytearray(data)
    at = draw(st.integers(0, max(len(found) - 1, 0)))
    match draw(st.sampled_from(("flip", "flip", "flip", "cut", "zeros", "noise", "grow", "other", "twice"))):
        case "flip" if found:
            for position in draw(st.lists(st.integers(0, len(found) - 1), min_size=1, max_size=4)):
                found[position] ^= 1 << draw(st.integers(0, 7))
        case "cut":
            del found[at:]
        case "zeros":
            stop = draw(st.integers(at, len(found)))
            found[at:stop] = bytes(stop - at)
        case "noise":
            noise = draw(st.binary(min_size=1, max_size=64))
            found[at : at + len(noise)] = noise
        case "grow":
            found += draw(st.binary(min_size=1, max_size=200) | st.just(bytes(400)))
        case "twice":
            found[at:at] = found[:at]
        case _:
            found[:] = draw(st.binary(max_size=300))
    return bytes(found)


HINTS = (names.INDEX, names.TIME_INDEX, names.SNAPSHOT, names.RECOVERY_POINTS, names.HIGH_WATERMARKS)


@settings(max_examples=150, derandomize="FUZZ" not in os.environ)
@given(st.booleans(), st.data())
def test_any_damage_to_one_file(clean: bool, data: st.DataObject) -> None:
    files, batches, topic_id = written(clean)
    path = data.draw(st.sampled_from(sorted(files)))
    content = data.draw(damaged(files[path]))
    disk = restored({**files, path: content})
    producers = Producers()
    try:
        directory = open_dir(disk)
        log = open_log(directory, topic_id=topic_id, producers=producers, **CONFIG)
    except (ConfigError, StorageFailed):
        assert not path.endswith(HINTS)
        return
    hint = path.endswith(HINTS)
    found = served(log)
    if hint or names.LEADER_EPOCHS in path:
        assert found == [identity(batch) for batch in batches]
        assert sorted(producers.snapshot()) == sorted(replayed(batches, files).snapshot())
    elif path.endswith(names.LOG):
        # Base offset and leader epoch lie outside the CRC: nobody can tell that they were damaged.
        assert {crc for _, _, crc, _ in found} <= {batch.crc for batch in batches}
    for timestamp in (0, batches[3].max_timestamp, batches[-1].max_timestamp, 1 << 62):
        try:
            log.offset_for_timestamp(timestamp, log.end_offset)
        except StorageFailed:
            assert not hint
    if hint and path.endswith(names.INDEX):
        for batch in batches:
            piece = log.read(batch.last_offset, 1, log.end_offset, at_least_one=True)
            assert piece is not None
            assert whole_batches(piece.read())[0].base_offset == batch.base_offset


@settings(max_examples=150, derandomize="FUZZ" not in os.environ)
@given(st.booleans(), st.data())
def test_any_damage_to_an_index_of_aborted_transactions_is_found_and_named(clean: bool, data: st.DataObject) -> None:
    """Such an index has no checksum: what it says is what the log says, or it is refused, or somebody has to look."""
    files, batches, topic_id = written(clean)
    path = data.draw(st.sampled_from([path for path in sorted(files) if path.endswith(names.TXN_INDEX)]))
    content = data.draw(damaged(files[path]))
    disk = restored({**files, path: content})
    found = [one for one in Verifier(disk).partition("/data/t-0") if one.path == path]
    assert bool(found) == (content != files[path])
    producers = Producers()
    log = open_log(open_dir(disk), topic_id=topic_id, producers=producers, **CONFIG)
    assert served(log) == [identity(batch) for batch in batches]
    assert sorted(producers.snapshot()) == sorted(replayed(batches, files).snapshot())
    try:
        told = log.aborted(0, log.end_offset)
    except StorageFailed:
        return
    assert all(0 <= one.first_offset <= one.last_offset for one in told)


def test_an_index_with_a_flipped_bit_changes_no_answer() -> None:
    files, batches, topic_id = written(True)
    path = f"/data/t-0/{0:020d}{names.INDEX}"
    for bit in range(8 * len(files[path])):
        content = bytearray(files[path])
        content[bit // 8] ^= 1 << bit % 8
        log = open_log(open_dir(restored({**files, path: bytes(content)})), topic_id=topic_id, **CONFIG)
        for batch in batches[bit % 3 : 20 : 3]:
            piece = log.read(batch.last_offset, 1, log.end_offset, at_least_one=True)
            assert piece is not None
            assert whole_batches(piece.read())[0].base_offset == batch.base_offset


def served(log: PartitionLog) -> list[tuple[int, int, int, int]]:
    """Batches as a consumer gets them that checks their CRC; it goes on behind what is unreadable."""
    found = []
    offset = log.start_offset
    while offset < log.end_offset:
        try:
            piece = log.read(offset, 2_000, log.end_offset, at_least_one=True)
            assert piece is not None
            content = piece.read()
            whole = whole_batches(content)
        except (StorageFailed, WireError):
            offset += 1
            continue
        good = [batch for batch in whole if crc_ok(content, batch) and batch.last_offset >= offset]
        found += [identity(batch) for batch in good]
        offset = max(offset + 1, good[-1].next_offset if good else 0)
    return found


# The readers of small files and of stored records, one by one.

OFFSETS = checkpoints.encode_offsets({TopicPartition("some-topic", 3): 1_234, TopicPartition("t", 0): 5})
SNAPSHOT = snapshots.encode([ProducerEntry(7, 0, 41, 99, 3, 1_000), ProducerEntry(8, 2, 4, 9, 0, 2_000, 5, 77)])
ABORTED = transactions.encode([Aborted(7, 0, 5, 6), Aborted(8, 2, 9, 3), Aborted(7, 7, 11, 12)])
READERS: list[tuple[str, Callable[[bytes], Any], bytes, type[Exception]]] = [
    ("offsets", checkpoints.decode_offsets, OFFSETS, CorruptCheckpoint),
    ("epochs", checkpoints.decode_epochs, checkpoints.encode_epochs([(0, 0), (3, 17), (40, 1_000)]), CorruptCheckpoint),
    ("metadata", checkpoints.decode_partition_metadata, checkpoints.encode_partition_metadata(bytes(range(16))),
     CorruptCheckpoint),
    ("properties", checkpoints.decode_properties, b"version=1\ncluster.id=abc\nnode.id=1\n", CorruptCheckpoint),
    ("snapshot", snapshots.decode, SNAPSHOT, CorruptSnapshot),
    ("aborted", lambda data: transactions.decode(data, "x"), ABORTED, CorruptIndex),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reader", "example", "refusal"), READERS, ids=[entry[0] for entry in READERS])
@given(st.data())
def test_any_bytes_to_a_reader(
    name: str, reader: Callable[[bytes], Any], example: bytes, refusal: type[Exception], data: st.DataObject
) -> None:
    try:
        found = reader(data.draw(damaged(example)))
    except refusal:
        return
    if name == "offsets":
        assert all(0 <= offset < 1 << 63 and 0 <= key.partition < 1 << 31 for key, offset in found.items())
    elif name == "epochs":
        assert all(0 <= epoch < 1 << 31 and 0 <= start < 1 << 63 for epoch, start in found)
    elif name == "snapshot":
        assert snapshots.decode(snapshots.encode(found)) == found
    elif name == "aborted":
        assert all(transactions.is_possible(one) for one in found)


@pytest.mark.parametrize("module", [group_log, txn_log, share_log], ids=lambda module: module.__name__.split(".")[-1])
@given(st.data())
def test_any_bytes_in_a_stored_record(module: Any, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(module._TYPES)))
    key_class, value_class = module._TYPES[kind]
    first, last = value_class.__wire__.versions
    key, value = module.write(key_class(), value_class(), data.draw(st.integers(first, last)))
    try:
        module.read(data.draw(st.just(key) | damaged(key)), data.draw(damaged(value)))
    except WireError:
        pass
