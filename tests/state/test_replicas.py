"""The high watermark and the in-sync replicas, as a leader sees them."""

from __future__ import annotations

from collections.abc import Sequence

from kafkawire.errors import ErrorCode
from pykafkad.state.replicas import Leader


def leader(
    replicas: Sequence[int] = (1, 2, 3), isr: Sequence[int] = (1, 2, 3), min_insync: int = 1, mark: int = 0
) -> Leader:
    return Leader(
        node_id=1, epoch=5, replicas=replicas, isr=isr, min_insync=min_insync, high_watermark=mark, epoch_start=mark
    )


def fetch(leader: Leader, replica: int, offset: int, end: int, now: int = 0) -> bool:
    leader.fetched(replica, offset, 0, end, now)
    return leader.advance(end)


def test_alone_the_watermark_is_the_log_end() -> None:
    one = leader((1,), (1,))
    assert one.alone
    assert one.advance(7) and one.high_watermark == 7
    assert not one.advance(7)


def test_the_watermark_is_the_least_of_the_isr() -> None:
    three = leader()
    assert not three.advance(10)
    assert not fetch(three, 2, 10, 10)
    assert fetch(three, 3, 4, 10) and three.high_watermark == 4
    assert fetch(three, 3, 10, 10) and three.high_watermark == 10


def test_replicas_out_of_sync_do_not_hold_it_back() -> None:
    two = leader(isr=(1, 2))
    assert fetch(two, 2, 6, 10) and two.high_watermark == 6
    assert not fetch(two, 3, 1, 10) and two.high_watermark == 6


def test_it_never_moves_back() -> None:
    three = leader(isr=(1, 2), mark=8)
    assert not fetch(three, 2, 3, 10)
    assert three.high_watermark == 8


def test_it_rests_below_min_insync() -> None:
    lonely = leader(isr=(1,), min_insync=2)
    assert not lonely.enough and not lonely.alone
    assert not lonely.advance(10)
    refused = lonely.may_append(-1)
    assert refused is not None and refused.code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert lonely.may_append(1) is None and lonely.may_append(0) is None


def test_no_more_replicas_are_asked_for_than_there_are() -> None:
    single = leader((1,), (1,), min_insync=3)
    assert single.enough and single.may_append(-1) is None


def test_a_replica_lags_when_it_was_not_caught_up_for_too_long() -> None:
    three = leader()
    fetch(three, 2, 10, 10, now=1000)
    fetch(three, 3, 5, 10, now=1000)
    assert three.lagging(31_001, 30_000, 11) == [2, 3]
    fetch(three, 2, 11, 11, now=31_001)
    assert three.lagging(31_002, 30_000, 11) == [3]


def test_reaching_what_was_the_end_at_the_last_fetch_counts_as_caught_up_then() -> None:
    three = leader()
    fetch(three, 2, 5, 10, now=1000)
    fetch(three, 2, 10, 20, now=2000)
    assert three.remotes[2].caught_up_at == 1000


def test_a_replica_may_join_at_the_watermark_and_the_epochs_start() -> None:
    two = leader(isr=(1, 2), mark=8)
    fetch(two, 2, 8, 8)
    fetch(two, 3, 7, 8)
    assert two.joining() == []
    fetch(two, 3, 8, 8)
    assert two.joining() == [3]
