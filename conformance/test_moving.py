"""A few rounds of `make peers ARGS=moving`: Java's consume-transform-produce, killed, frozen, and its broker killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.only("java")
@pytest.mark.timeout(900)
def test_records_and_offsets_move_together(client_name: str, live_through: Callable[[str, str, int], None]) -> None:
    live_through("moving", "streams", 5)
