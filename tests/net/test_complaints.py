"""What a bad peer may cost in log lines."""

from __future__ import annotations

from typing import Any

from pykafkad.net.complaints import INTERVAL_SECONDS, KINDS_MAX, Complaints


class Written:
    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.complaints = Complaints(lambda event, **fields: self.lines.append((event, fields)), lambda: self.now)


def test_one_line_per_kind_and_interval_with_a_count_of_the_others() -> None:
    written = Written()
    for peer in range(20_000):
        written.complaints.say("garbage", "unreadable", peer=peer)
    written.complaints.say("size", "too large")
    assert written.lines == [("unreadable", {"peer": 0}), ("too large", {})]
    written.now += INTERVAL_SECONDS
    written.complaints.say("garbage", "unreadable", peer=7)
    assert written.lines[2:] == [("unreadable", {"peer": 7, "left_out": 19_999})]


def test_the_sweep_tells_what_was_left_out_when_it_is_over() -> None:
    written = Written()
    for _ in range(3):
        written.complaints.say("garbage", "unreadable", peer="a")
    written.complaints.sweep()
    assert len(written.lines) == 1
    written.now += INTERVAL_SECONDS
    written.complaints.sweep()
    assert written.lines[1:] == [("unreadable", {"left_out": 2})]
    written.complaints.sweep()
    assert len(written.lines) == 2


def test_kinds_are_bounded() -> None:
    written = Written()
    for kind in range(KINDS_MAX * 3):
        written.complaints.say(f"kind {kind}", "new")
    assert len(written.lines) == KINDS_MAX + 1
