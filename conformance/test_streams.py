"""A few rounds of `make peers ARGS=streams`: Kafka Streams, killed, frozen, and its broker killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.only("java")
@pytest.mark.timeout(900)
def test_streams_counts_and_joins_exactly_once(client_name: str, live_through: Callable[[str, int], None]) -> None:
    live_through("streams", 5)
