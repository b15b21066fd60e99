"""A few rounds of `make peers ARGS=connect`: Kafka Connect with exactly-once sources, its workers and broker killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.only("java")
@pytest.mark.timeout(900)
def test_each_line_of_a_file_arrives_once(client_name: str, live_through: Callable[[str, int], None]) -> None:
    live_through("connect", 4)
