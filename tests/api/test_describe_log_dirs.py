"""DescribeLogDirs: sizes on disk, of all partitions or of those asked for."""

from __future__ import annotations

import pytest

from kafkawire.api import describe_log_dirs as wire
from kafkawire.headers import response_frame
from tests.kit.broker import DATA, Broker
from tests.kit.loop import run


@pytest.mark.parametrize("version", range(1, 6))
def test_what_lies_where(version: int) -> None:
    async def main() -> None:
        broker = Broker(t=2, u=1, __consumer_offsets=50)
        broker.write("t", b"x")

        async def ask(topics: list[wire.DescribableLogDirTopic] | None) -> dict[tuple[str, int], int]:
            response = await broker.answer(wire.Request(topics=topics), version, key=35)
            assert response_frame(1, response, version)
            assert response.error_code == 0
            (result,) = response.results
            assert result.error_code == 0 and result.log_dir == DATA
            assert result.total_bytes > 0 and not result.is_cordoned
            return {
                (topic.name, partition.partition_index): partition.partition_size
                for topic in result.topics
                for partition in topic.partitions
            }

        size = broker.partition("t").log.size
        assert await ask(None) == {("t", 0): size, ("t", 1): 0, ("u", 0): 0}
        assert await ask([wire.DescribableLogDirTopic(topic="t", partitions=[0])]) == {("t", 0): size}
        assert await ask([]) == {}

    run(main())
