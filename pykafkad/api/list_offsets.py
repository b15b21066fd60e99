"""ListOffsets (API key 2): offsets by time, and by the special times below zero.

v2  isolation level.   v4  leader epochs.   v6  flexible.   v7  −3, the record with the greatest timestamp.
v8  −4, the earliest that is stored here.   v9  −5, the last one in tiered storage.
v11  −6, the earliest one that waits for tiered storage.

Without tiered storage "here" is everywhere: −4 is the log's start and −5 and −6 are nowhere.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import list_offsets
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType
from pykafkad.api.merging import merged
from pykafkad.errors import Refused, StorageFailed
from pykafkad.runtime.warming import settled
from pykafkad.storage.cold import Cold

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pykafkad.runtime.partition import Partition

LATEST, EARLIEST, GREATEST, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = -1, -2, -3, -4, -5, -6
_SINCE = {LATEST: 0, EARLIEST: 0, GREATEST: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING: 11}
_COMMITTED = 1
_CONSUMER = -1
_DEBUGGER = -2
_NOWHERE = (-1, -1, -1)

_NOT_ALLOWED = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_TWICE = Refused(ErrorCode.INVALID_REQUEST, "the partition is in the request twice")
_NO_ISOLATION = Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "no such isolation level")
_UNSUPPORTED = Refused(ErrorCode.UNSUPPORTED_VERSION, "this timestamp has no meaning in this version")

Found = tuple[int, int, int]
"""(timestamp, offset, leader epoch)"""


@handles(list_offsets.Request)
def handle(call: Call, request: list_offsets.Request) -> list_offsets.Response | Awaitable[list_offsets.Response]:
    """At once, unless the disk must be waited for."""
    try:
        return _answers(call, request, wait=False)
    except Cold:
        return settled(lambda wait: _answers(call, request, wait=wait))


def _answers(call: Call, request: list_offsets.Request, *, wait: bool) -> list_offsets.Response:
    wanted = merged((topic.name, topic.partitions) for topic in request.topics)
    topics = []
    for name, partitions in wanted.items():
        times = Counter(asked.partition_index for asked in partitions)
        once = {asked.partition_index: asked for asked in partitions}  # given twice: refused, and told once
        answers = [
            _answer(call, request, name, asked, times[asked.partition_index] > 1, wait) for asked in once.values()
        ]
        topics.append(list_offsets.TopicResponse(name=name, partitions=answers))
    return list_offsets.Response(topics=topics)


def _answer(
    call: Call,
    request: list_offsets.Request,
    topic: str,
    asked: list_offsets.Partition,
    twice: bool,
    wait: bool,
) -> list_offsets.PartitionResponse:
    index, found = asked.partition_index, _look(call, request, topic, asked, twice, wait)
    if isinstance(found, Refused):
        return list_offsets.PartitionResponse(partition_index=index, error_code=int(found.code))
    timestamp, offset, epoch = found
    return list_offsets.PartitionResponse(
        partition_index=index, timestamp=timestamp, offset=offset, leader_epoch=epoch if call.version >= 4 else -1
    )


def _look(
    call: Call,
    request: list_offsets.Request,
    topic: str,
    asked: list_offsets.Partition,
    twice: bool,
    wait: bool,
) -> Found | Refused:
    if not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic):
        return _NOT_ALLOWED
    if twice:
        return _TWICE
    if request.isolation_level not in (0, _COMMITTED):
        return _NO_ISOLATION
    timestamp = asked.timestamp
    if timestamp < 0 and call.version < _SINCE.get(timestamp, 99):
        return _UNSUPPORTED
    partition = call.node.partitions.get(topic, asked.partition_index)
    if isinstance(partition, Refused):
        return partition
    refused = partition.check_epoch(asked.current_leader_epoch)
    if refused is not None:
        return refused
    consumer = request.replica_id < 0 and request.replica_id != _DEBUGGER
    if not consumer:
        until = partition.log.end_offset
    else:
        until = partition.last_stable_offset if request.isolation_level == _COMMITTED else partition.high_watermark
    try:
        found = _offset(partition, timestamp, until, wait)
    except StorageFailed as failure:
        return Refused(ErrorCode.KAFKA_STORAGE_ERROR, failure.reason)
    if found is None or (timestamp == LATEST and consumer):
        if consumer and partition.unsettled:
            return Refused(ErrorCode.OFFSET_NOT_AVAILABLE if call.version >= 5 else ErrorCode.LEADER_NOT_AVAILABLE)
        return found or _NOWHERE
    return found


def _offset(partition: Partition, timestamp: int, until: int, wait: bool) -> Found | None:
    """None: there is such a record nowhere below ``until``."""
    log = partition.log
    if timestamp == LATEST:
        return -1, until, partition.leader_epoch
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        epoch = log.epochs.epoch_at(log.start_offset)
        return -1, log.start_offset, epoch if epoch >= 0 else _epoch_of_start(partition)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING):
        return _NOWHERE
    if timestamp == GREATEST:
        found = log.max_timestamp(wait=wait)
    else:
        found = log.offset_for_timestamp(timestamp, until, wait=wait)
    return None if found is None or found[1] >= until else found


def _epoch_of_start(partition: Partition) -> int:
    """The epoch under which the first record will be written, if the log is empty."""
    return partition.leader_epoch if partition.log.start_offset == partition.log.end_offset else -1
