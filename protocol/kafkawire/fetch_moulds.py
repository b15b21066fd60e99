"""Fetch requests that come again: recognised by their bytes, and answered by stamping a copy of an earlier answer.

A reader of one partition asks for it over and over. Its requests differ in their correlation id, in the offset, and
where there is a fetch session in its epoch; the answers in their correlation id, in three offsets and in the records.
A mould is made from one request that was decoded in the ordinary way, by encoding it anew with marks in the places
that change: where that gives other bytes than came, there is none. What doesn't fit is for the ordinary decoder.

::

    key version  correlation id  [client id … session id]  epoch  [topic … leader epoch]  offset  [limits … tags]
"""

from __future__ import annotations

from struct import Struct

from kafkawire.api import fetch
from kafkawire.codec import encoder
from kafkawire.headers import is_flexible, response_frame
from kafkawire.varint import uvarint

SINCE = 7
"""The first version with sessions, whose answers carry all three offsets."""
_BY_ID = 13
_KEY = 1
_SIZE_MAX = 1024  # longer names are for the ordinary way: moulds are kept
_HEAD = 8  # API key, version, correlation id
_EPOCH_MARK, _OFFSET_MARK = 0x1F2E3D4C, 0x1122334455667788
_EPOCH, _OFFSET = Struct(">i").pack(_EPOCH_MARK), Struct(">q").pack(_OFFSET_MARK)
_MARKS = (0x1122334455667788, 0x2233445566778899, 0x33445566778899AA)
_marks = Struct(">qqq").pack(*_MARKS)  # high watermark, last stable offset, log start offset
_int32 = Struct(">i").pack


class FetchMould:
    """One reader's requests for one partition, all but what changes from one to the next."""

    __slots__ = (
        "_fixed", "_flexible", "_head", "_head_parts", "_parts", "_split", "_tail", "by_id", "client_id", "code",
        "committed", "index", "leader_epoch", "limit", "request", "session_id", "size", "topic", "topic_id", "used",
    )  # fmt: skip

    def __init__(
        self, frame: bytes, epoch_at: int, offset_at: int, version: int, client_id: str, request: fetch.Request
    ) -> None:
        front, middle, rest = epoch_at - _HEAD, offset_at - epoch_at - 4, len(frame) - offset_at - 8
        self._split = Struct(f">ii{front}si{middle}sq{rest}s").unpack
        code, _, front_bytes, _, middle_bytes, _, rest_bytes = self._split(frame)
        self._parts = front_bytes, middle_bytes, rest_bytes
        self.code: int = code
        self.size = len(frame)
        self.client_id = client_id
        self.used = False
        """Whether any request has fitted."""
        self.request = request
        self.session_id = request.session_id
        self.committed = request.isolation_level == 1
        topic = request.topics[0]
        asked = topic.partitions[0]
        self.by_id = version >= _BY_ID
        self.topic, self.topic_id, self.index = topic.topic, topic.topic_id, asked.partition
        self.leader_epoch, self.limit = asked.current_leader_epoch, asked.partition_max_bytes
        self._flexible = is_flexible(_KEY, version)
        mark, stable, start = _MARKS
        answer = fetch.PartitionData(
            partition_index=self.index,
            high_watermark=mark,
            last_stable_offset=stable,
            log_start_offset=start,
            aborted_transactions=[] if self.committed else None,
            records=b"x",
        )
        answers = fetch.FetchableTopicResponse(
            topic="" if self.by_id else self.topic, topic_id=self.topic_id, partitions=[answer]
        )
        response = fetch.Response(session_id=self.session_id, responses=[answers])
        head, _, *tail = response_frame(0, response, version)
        fixed = bytes(head)[: -1 if self._flexible else -4]  # type: ignore[arg-type]
        at = fixed.rindex(_marks)
        self._head_parts = fixed[_HEAD:at], fixed[at + len(_marks) :]
        self._head = Struct(f">ii{at - _HEAD}sqqq{len(fixed) - at - len(_marks)}s").pack
        self._tail: bytes = b"".join(map(bytes, tail))  # type: ignore[arg-type]
        self._fixed = len(fixed) + len(self._tail) - 4

    def fits(self, frame: bytes) -> tuple[int, int, int] | None:
        """Correlation id, session epoch and offset of a request (without its size) that fits; None if it doesn't."""
        if len(frame) != self.size:
            return None
        code, correlation, front, epoch, middle, offset, rest = self._split(frame)
        return (correlation, epoch, offset) if (front, middle, rest) == self._parts and code == self.code else None

    def answer(
        self, correlation: int, high_watermark: int, last_stable_offset: int, log_start_offset: int, size: int
    ) -> tuple[bytes, bytes]:
        """What goes before and behind ``size`` bytes of records, of which there are some."""
        front, middle = self._head_parts
        length = uvarint(size + 1) if self._flexible else _int32(size)
        total = self._fixed + len(length) + size
        return (
            self._head(total, correlation, front, high_watermark, last_stable_offset, log_start_offset, middle)
            + length,
            self._tail,
        )


def fetch_mould_of(frame: memoryview, version: int, client_id: str, request: fetch.Request) -> FetchMould | None:
    """The mould of a request that was decoded from ``frame`` (without its size); None if it has another shape: it is a
    replica's, begins or ends a session, or is for anything but one partition.
    """
    if version < SINCE or len(frame) > _SIZE_MAX or len(request.topics) != 1 or request.forgotten_topics_data:
        return None
    partitions = request.topics[0].partitions
    if len(partitions) != 1:
        return None
    asked, epoch = partitions[0], request.session_epoch
    if (
        request.replica_id >= 0
        or request.replica_state.replica_id >= 0
        or request.isolation_level not in (0, 1)
        or asked.last_fetched_epoch != -1
        or asked.partition_max_bytes <= 0
        or request.max_bytes <= 0
        or not (epoch > 0 if request.session_id else epoch == -1)
    ):
        return None
    offset = asked.fetch_offset
    request.session_epoch, asked.fetch_offset = _EPOCH_MARK, _OFFSET_MARK
    try:
        body = bytes(encoder(fetch.Request, version)(request, bytearray()))
    finally:
        request.session_epoch, asked.fetch_offset = epoch, offset
    if body.count(_EPOCH) != 1 or body.count(_OFFSET) != 1:
        return None
    copy = bytes(frame)
    at = len(copy) - len(body)
    epoch_at, offset_at = at + body.index(_EPOCH), at + body.index(_OFFSET)
    marked = copy[:epoch_at] + _EPOCH + copy[epoch_at + 4 : offset_at] + _OFFSET + copy[offset_at + 8 :]
    if at <= _HEAD or marked[at:] != body:
        return None
    return FetchMould(copy, epoch_at, offset_at, version, client_id, request)
