"""A few rounds of `make peers ARGS=moving`: consume, transform, produce by Java's client, franz-go and aiokafka, which
are killed and frozen, and whose broker is killed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

JOBS = {"java": "moving", "franz-go": "moving-franz-go", "aiokafka": "moving-aiokafka"}


@pytest.mark.only(*JOBS)
@pytest.mark.timeout(900)
def test_records_and_offsets_move_together(client_name: str, live_through: Callable[[str, int], None]) -> None:
    live_through(JOBS[client_name], 5)
