"""OffsetForLeaderEpoch: where epochs end."""

from __future__ import annotations

import pytest

from kafkawire.api import offset_for_leader_epoch as wire
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker
from tests.kit.loop import run


@pytest.mark.parametrize("version", [2, 3, 4])
def test_where_epochs_end(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        for epoch, count in ((2, 3), (5, 1)):
            broker.add("t", epoch=epoch)
            for _ in range(count):
                broker.write("t", b"x")

        async def ask(epoch: int, current: int = -1, topic: str = "t") -> tuple[int, int, int]:
            asked = wire.OffsetForLeaderPartition(partition=0, current_leader_epoch=current, leader_epoch=epoch)
            request = wire.Request(
                replica_id=-1 if version >= 3 else -2,
                topics=[wire.OffsetForLeaderTopic(topic=topic, partitions=[asked])],
            )
            response = await broker.answer(request, version, key=23)
            assert response_frame(1, response, version)
            (answer,) = response.topics[0].partitions
            return answer.error_code, answer.leader_epoch, answer.end_offset

        assert await ask(5) == (0, 5, 4)
        assert await ask(2) == (0, 2, 3)
        assert await ask(3) == (0, 2, 3)
        assert await ask(1) == (0, 1, 0)
        assert await ask(6) == (0, -1, -1)
        assert await ask(-1) == (0, -1, -1)
        assert await ask(2, current=5) == (0, 2, 3)
        assert await ask(2, current=4) == (ErrorCode.FENCED_LEADER_EPOCH, -1, -1)
        assert await ask(2, current=6) == (ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1)
        assert await ask(2, topic="u") == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)

    run(main())
