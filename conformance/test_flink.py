"""A few rounds of `make peers ARGS=flink`: Flink's exactly-once KafkaSink, killed, continued from its checkpoints."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("job", ["flink", "flink-pooling"])
@pytest.mark.only("java")
@pytest.mark.timeout(900)
def test_what_flink_has_checkpointed_is_there_once(
    client_name: str, job: str, live_through: Callable[[str, int], None]
) -> None:
    live_through(job, 4)
