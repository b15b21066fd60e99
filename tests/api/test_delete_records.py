"""DeleteRecords: the low watermark, and who is refused."""

from __future__ import annotations

import pytest

from kafkawire.api import delete_records as wire
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker
from tests.kit.loop import run


@pytest.mark.parametrize("version", [0, 1, 2])
def test_records_are_deleted(version: int) -> None:
    async def main() -> None:
        broker = Broker(t=1, __consumer_offsets=1)
        broker.add("compacted", cleanup_policy="compact")
        broker.add("both", cleanup_policy="compact,delete")
        broker.add("kept", cleanup_policy="")
        broker.add("elsewhere", leader=2, replicas=(2,))
        for topic in ("t", "compacted", "both", "kept"):
            broker.write(topic, b"a", b"b", b"c")

        async def delete(topic: str, offset: int, index: int = 0) -> tuple[int, int]:
            asked = wire.Partition(partition_index=index, offset=offset)
            request = wire.Request(topics=[wire.Topic(name=topic, partitions=[asked])], timeout_ms=1000)
            response = await broker.answer(request, version, key=21)
            assert response_frame(1, response, version)
            (answer,) = response.topics[0].partitions
            return answer.error_code, answer.low_watermark

        assert await delete("t", 2) == (0, 2)
        assert await delete("t", 1) == (0, 2)
        assert await delete("t", 4) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
        assert await delete("t", -2) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
        assert await delete("t", -1) == (0, 3)
        assert await delete("both", -1) == (0, 3)
        assert await delete("kept", -1) == (0, 3)
        assert await delete("compacted", 1) == (ErrorCode.POLICY_VIOLATION, -1)
        assert await delete("__consumer_offsets", 0) == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)
        assert await delete("u", 0) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
        assert await delete("t", 0, index=3) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
        assert await delete("elsewhere", 0) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)

    run(main())
