"""Moulds: what stays the same in the Produce requests that a producer sends to one partition, and in their answers.

A producer's requests to a partition differ in their correlation id and in their records, and the answers in their
correlation id and in three numbers. A mould is made from one request that was decoded in the ordinary way. From then on
a request that begins with the same bytes is recognised by comparing them, its records are cut out, and its answer is
stamped on a copy of the mould's. Whatever doesn't fit the mould byte by byte is for the ordinary decoder to judge.

::

    size  key version  correlation id  [client id … partition index]  length  records  [tags]
                                        ^ prefix                                        ^ three zeros if flexible
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError

from kafkawire.api import produce
from kafkawire.batches import HEADER_SIZE
from kafkawire.errors import WireError
from kafkawire.headers import is_flexible, response_frame
from kafkawire.varint import longer_uvarint, uvarint

SINCE = 5
"""The first version whose answers carry all three numbers."""
BODY = 8
"""Where a request's prefix begins: behind API key, version and correlation id."""
_PREFIX_MAX = 512  # longer names are for the ordinary way: moulds are kept
_NO_TAGS = b"\0\0\0"  # of the partition, the topic and the request
_KEY = 0
_length = Struct(">i").unpack_from
_correlation = Struct(">i").pack_into
_numbers = Struct(">qqq")  # base offset, log append time, log start offset
_write_numbers = _numbers.pack_into
_MARK = (0x1122334455667788, 0x2233445566778899, 0x33445566778899AA)


class Mould:
    """One client's requests to one partition, all but what changes from one to the next."""

    __slots__ = (
        "_answer", "_at", "_flexible", "acks", "client_id", "index", "prefix", "topic", "topic_id", "transactional_id",
        "version",
    )  # fmt: skip

    def __init__(self, prefix: bytes, version: int, client_id: str, request: produce.Request) -> None:
        topic = request.topic_data[0]
        self.prefix = prefix
        self.version = version
        self.client_id = client_id
        self.acks = request.acks
        self.transactional_id = request.transactional_id
        self.topic = topic.name
        self.topic_id = topic.topic_id
        self.index = topic.partition_data[0].index
        self._flexible = is_flexible(_KEY, version)
        base, time, start = _MARK
        answer = produce.PartitionProduceResponse(
            index=self.index, base_offset=base, log_append_time_ms=time, log_start_offset=start
        )
        answers = produce.TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=[answer])
        self._answer = b"".join(response_frame(0, produce.Response(responses=[answers]), version))  # type: ignore[arg-type]
        self._at = self._answer.rindex(_numbers.pack(*_MARK))

    def records(self, view: memoryview, position: int, stop: int) -> memoryview | None:
        """The records between ``position``, behind the prefix, and the request's end; None if this isn't their shape.

        They are at least as long as a batch's header.
        """
        try:
            if self._flexible:
                stop -= 3
                if view[stop] or view[stop + 1] or view[stop + 2]:
                    return None
                n = view[position]
                position += 1
                if n > 127:
                    if view[position] > 127:
                        n, position = longer_uvarint(view, position, n)
                    else:
                        n += (view[position] << 7) - 128
                        position += 1
                n -= 1
            else:
                (n,) = _length(view, position)
                position += 4
        except (IndexError, StructError, WireError):
            return None
        return view[position:stop] if n == stop - position >= HEADER_SIZE else None

    def answers(self, correlations: Sequence[int], numbers: Sequence[tuple[int, int, int]]) -> bytearray:
        """The frames that answer these requests, one behind the other; ``numbers``: base offset, log append time and
        log start offset of each.
        """
        answer, at = self._answer, self._at
        out = bytearray(answer * len(correlations))
        position = 0
        for correlation, (base, time, start) in zip(correlations, numbers, strict=True):
            _correlation(out, position + 4, correlation)
            _write_numbers(out, position + at, base, time, start)
            position += len(answer)
        return out


def mould_of(frame: memoryview, version: int, client_id: str, request: produce.Request) -> Mould | None:
    """The mould of a request that was decoded from ``frame`` (without its size); None if it has another shape."""
    if version < SINCE or request.acks not in (-1, 1) or len(request.topic_data) != 1:
        return None
    partitions = request.topic_data[0].partition_data
    if len(partitions) != 1 or partitions[0].records is None:
        return None
    size = len(partitions[0].records)
    if is_flexible(_KEY, version):
        before = len(frame) - len(_NO_TAGS) - size - len(uvarint(size + 1))
    else:
        before = len(frame) - size - 4
    if not BODY < before <= BODY + _PREFIX_MAX:
        return None
    mould = Mould(bytes(frame[BODY:before]), version, client_id, request)
    found = mould.records(frame, before, len(frame))
    return mould if found is not None and len(found) == size else None
