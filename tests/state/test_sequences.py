"""Idempotent producers, rule by rule; each test says its rule in its name."""

from __future__ import annotations

import struct

from kafkawire.batches import BatchHeader, header_at
from kafkawire.errors import ErrorCode
from kafkawire.records import build
from pykafkad.errors import Refused
from pykafkad.model import Aborted, ProducerEntry
from pykafkad.state.sequences import SEQUENCE_MAX, Duplicate, Producers

P = 4000


def batch(
    first: int, count: int = 1, *, offset: int = 0, epoch: int = 0, attributes: int = 0, time: int = 1000
) -> BatchHeader:
    return BatchHeader(
        position=0,
        base_offset=offset,
        length=100,
        leader_epoch=0,
        magic=2,
        crc=0,
        attributes=attributes,
        last_offset_delta=count - 1,
        base_timestamp=time,
        max_timestamp=time,
        producer_id=P,
        producer_epoch=epoch,
        base_sequence=first,
        count=count,
    )


def code(verdict: object) -> ErrorCode:
    assert isinstance(verdict, Refused), verdict
    return verdict.code


def after(*batches: BatchHeader) -> Producers:
    producers = Producers()
    for one in batches:
        producers.replay(one)
    return producers


def marker(epoch: int, offset: int, *, commit: bool = True, coordinator_epoch: int = 0) -> tuple[BatchHeader, bytes]:
    raw = build(
        [(struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, coordinator_epoch))],
        base_offset=offset,
        timestamp=2000,
        producer_id=P,
        producer_epoch=epoch,
    )
    header = header_at(raw, 0)._replace(attributes=0x30)
    return header, raw


def test_an_unknown_producer_may_begin_anywhere() -> None:
    assert Producers().check(batch(17)) is None


def test_the_next_sequence_follows_the_last() -> None:
    producers = after(batch(0, 3))
    assert producers.check(batch(3)) is None
    assert code(producers.check(batch(4))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code(producers.check(batch(2, 2))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequences_wrap_to_zero() -> None:
    producers = after(batch(SEQUENCE_MAX - 1, 2, offset=5))
    assert producers.check(batch(0)) is None
    assert code(producers.check(batch(1))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_batch_may_wrap_inside() -> None:
    producers = after(batch(SEQUENCE_MAX, 3, offset=10))
    assert producers.check(batch(2)) is None
    assert producers.check(batch(SEQUENCE_MAX, 3)) == Duplicate(10, 12, 1000)


def test_one_of_the_last_five_batches_is_a_duplicate_and_answers_as_the_first_time() -> None:
    producers = after(*(batch(n * 2, 2, offset=n * 2, time=1000 + n) for n in range(6)))
    for n in range(1, 6):
        assert producers.check(batch(n * 2, 2)) == Duplicate(n * 2, n * 2 + 1, 1000 + n)
    assert code(producers.check(batch(0, 2))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_duplicate_has_the_same_first_and_last_sequence() -> None:
    producers = after(batch(0, 4))
    assert code(producers.check(batch(0, 3))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_an_older_epoch_is_refused() -> None:
    producers = after(batch(0, epoch=3))
    assert code(producers.check(batch(1, epoch=2))) == ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_newer_epoch_begins_at_zero() -> None:
    producers = after(batch(0, 5, epoch=3))
    assert producers.check(batch(0, epoch=4)) is None
    assert code(producers.check(batch(5, epoch=4))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_new_epoch_forgets_the_old_window() -> None:
    producers = after(batch(0, 1, epoch=0, offset=0), batch(0, 1, epoch=1, offset=1))
    assert producers.check(batch(0, epoch=1)) == Duplicate(1, 1, 1000)
    assert producers.check(batch(1, epoch=1)) is None


def test_producers_expire_when_silent() -> None:
    producers = after(batch(0, time=1000))
    assert producers.expire(1999, 1000) == 0
    assert producers.expire(2000, 1000) == 1
    assert producers.check(batch(99)) is None


def test_an_open_transaction_keeps_its_producer_and_holds_the_stable_offset() -> None:
    producers = after(batch(0, offset=7, attributes=0x10))
    assert producers.first_unstable == 7
    assert producers.expire(10**15, 1) == 0
    assert code(producers.check(batch(1))) == ErrorCode.INVALID_TXN_STATE
    assert producers.check(batch(1, attributes=0x10)) is None


def test_a_marker_ends_the_transaction_and_counts_once_committed() -> None:
    producers = after(batch(0, offset=7, attributes=0x10))
    producers.replay(*marker(0, 9))
    assert producers.first_unstable == 7
    producers.committed(9)
    assert producers.first_unstable == 7
    producers.committed(10)
    assert producers.first_unstable is None


def test_sequences_go_on_after_a_marker_unless_it_bumps_the_epoch() -> None:
    producers = after(batch(0, 2, offset=7, attributes=0x10))
    producers.replay(*marker(0, 9))
    assert producers.check(batch(2, offset=10)) is None
    assert isinstance(producers.check(batch(0, 2, offset=10)), Duplicate)
    producers.replay(*marker(1, 9))
    assert producers.check(batch(0, epoch=1, offset=10)) is None
    assert code(producers.check(batch(2, epoch=1, offset=10))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_markers_know_their_epochs() -> None:
    producers = after(batch(0, epoch=5, attributes=0x10))
    producers.replay(*marker(5, 3, coordinator_epoch=8))
    check = producers.check_marker
    assert code(check(P, 4, 9, epoch_bumps=False)) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert check(P, 5, 8, epoch_bumps=False) is None
    assert code(check(P, 5, 7, epoch_bumps=False)) == ErrorCode.TRANSACTION_COORDINATOR_FENCED
    assert check(P, 5, 8, epoch_bumps=True) is None, "a retry: no transaction is open"
    producers.replay(batch(0, epoch=5, offset=9, attributes=0x10))
    assert code(check(P, 5, 8, epoch_bumps=True)) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert check(P, 6, 8, epoch_bumps=True) is None
    assert check(P + 1, 0, 0, epoch_bumps=True) is None


def test_a_snapshot_keeps_the_last_batch() -> None:
    producers = after(batch(0, 2, offset=0), batch(2, 3, offset=2, time=1234))
    entries = producers.snapshot()
    assert entries == [ProducerEntry(P, 0, 4, 4, 2, 1234, -1, -1)]
    other = Producers()
    other.restore(entries)
    assert other.check(batch(5)) is None
    assert other.check(batch(2, 3)) == Duplicate(2, 4, 1234)
    assert other.snapshot() == entries


def test_a_snapshot_keeps_open_transactions_and_markers() -> None:
    producers = after(batch(0, 1, offset=3, attributes=0x10))
    other = Producers()
    other.restore(producers.snapshot())
    assert other.first_unstable == 3 and other.transactional
    producers.replay(*marker(2, 4, coordinator_epoch=6))
    assert producers.snapshot() == [ProducerEntry(P, 2, -1, -1, 0, 2000, 6, -1)]


def test_restoring_forgets_everything_else() -> None:
    producers = after(batch(0, offset=3, attributes=0x10))
    producers.restore([])
    assert len(producers) == 0 and producers.first_unstable is None


def test_batches_without_a_producer_leave_no_trace() -> None:
    producers = Producers()
    producers.replay(batch(-1)._replace(producer_id=-1))
    assert len(producers) == 0


# -- transactions -----------------------------------------------------------------------------------------------------

TX = 0x10


def guarded(producers: Producers, one: BatchHeader, *, bumps: bool = False) -> object:
    """As Produce does it: take a guard, have the coordinator vouch, append."""
    guard = producers.guard(P, one.base_sequence, one.producer_epoch, 1000, bumps)
    return guard if isinstance(guard, Refused) else producers.check(one, guard)


def test_a_transaction_begins_only_with_a_guard() -> None:
    producers, first = Producers(), batch(0, attributes=TX)
    assert code(producers.check(first)) == ErrorCode.INVALID_TXN_STATE
    assert guarded(producers, first) is None
    producers.replay(first)
    assert producers.guard(P, 1, 0, 1000, False) is None, "it is open: nobody need vouch"
    assert producers.check(batch(1, attributes=TX, offset=1)) is None
    assert len(producers.guards) == 0


def test_no_guard_is_asked_for_where_the_settings_say_so() -> None:
    producers = Producers()
    producers.guards.demanded = False
    assert producers.check(batch(0, attributes=TX)) is None


def test_a_marker_between_asking_and_appending_withdraws_the_guard() -> None:
    producers = after(batch(0, attributes=TX))
    producers.replay(*marker(0, 1))
    guard = producers.guard(P, 1, 0, 1000, False)
    assert not isinstance(guard, Refused)
    producers.replay(*marker(0, 2))
    assert code(producers.check(batch(1, attributes=TX, offset=3), guard)) == ErrorCode.INVALID_TXN_STATE


def test_who_was_fenced_between_asking_and_appending_hears_of_the_epoch() -> None:
    producers = Producers()
    guard = producers.guard(P, 0, 0, 1000, True)
    assert not isinstance(guard, Refused)
    producers.replay(*marker(1, 0))
    assert code(producers.check(batch(0, attributes=TX, offset=1), guard)) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert code(producers.check_own(P, 0, guard)) == ErrorCode.INVALID_PRODUCER_EPOCH


def test_under_transaction_version_2_the_marker_of_the_last_transaction_leaves_the_next_ones_guard() -> None:
    producers = after(batch(0, attributes=TX))
    guard = producers.guard(P, 0, 1, 1000, True)
    assert not isinstance(guard, Refused)
    producers.replay(*marker(1, 1))
    assert producers.check(batch(0, epoch=1, attributes=TX, offset=2), guard) is None


def test_under_transaction_version_2_each_transaction_begins_at_0() -> None:
    producers = Producers()
    assert code(guarded(producers, batch(3, attributes=TX), bumps=True)) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert guarded(Producers(), batch(3, attributes=TX)) is None, "under version 1 an unknown producer begins anywhere"


def test_the_first_transaction_under_version_2_goes_on_after_the_last_one_under_version_1() -> None:
    producers = after(batch(0, 2, attributes=TX))
    producers.replay(*marker(0, 2))
    assert code(guarded(producers, batch(9, attributes=TX), bumps=True)) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert guarded(producers, batch(2, attributes=TX), bumps=True) is None


def test_a_plain_batch_does_not_overtake_one_that_waits_either() -> None:
    producers = Producers()
    assert not isinstance(producers.guard(P, 3, 0, 1000, False), Refused)
    assert code(producers.check(batch(5))) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producers.check(batch(3)) is None
    assert producers.check(batch(5)._replace(producer_id=P + 1)) is None, "nor are others held back by it"


def test_a_batch_does_not_overtake_one_that_still_waits_to_be_vouched_for() -> None:
    producers = Producers()
    guard = producers.guard(P, 0, 0, 1000, False)
    assert producers.guard(P, 5, 0, 1000, False) is guard, "retries share it"
    assert not isinstance(guard, Refused)
    assert code(producers.check(batch(5, attributes=TX), guard)) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producers.check(batch(0, attributes=TX), guard) is None
    assert producers.guard(P, 9, 1, 1000, False) is guard
    assert producers.check(batch(9, epoch=1, attributes=TX), guard) is None, "a new epoch counts anew"


def test_an_old_epoch_gets_no_guard() -> None:
    producers = after(batch(0, epoch=3))
    assert code(producers.guard(P, 1, 2, 1000, False)) == ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_retry_of_a_batch_whose_transaction_is_over_is_a_duplicate() -> None:
    producers = after(batch(0, 2, offset=7, attributes=TX))
    producers.replay(*marker(0, 9))
    assert isinstance(producers.check(batch(0, 2, attributes=TX)), Duplicate)


def test_an_abort_tells_the_index_what_it_ended() -> None:
    producers = after(batch(0, offset=7, attributes=TX), batch(0, offset=9, attributes=TX)._replace(producer_id=P + 1))
    header, raw = marker(0, 12, commit=False)
    assert producers.would_abort(P, 12) == Aborted(P, 7, 12, 9), "another transaction stays open from 9 on"
    assert producers.replay(header, raw) == Aborted(P, 7, 12, 9)
    header, raw = marker(0, 13, commit=False)
    assert producers.replay(header, raw) is None, "there was nothing to abort"
    assert producers.would_abort(P + 1, 14) == Aborted(P + 1, 9, 14, 15)
    header, raw = marker(0, 14)
    assert producers.replay(header._replace(producer_id=P + 1), raw) is None, "a commit"


def test_the_oldest_open_transaction_holds_the_stable_offset_whatever_the_order_of_a_snapshot() -> None:
    producers = Producers()
    producers.restore(
        [
            ProducerEntry(1, 0, 0, 9, 0, 5, -1, 9),
            ProducerEntry(2, 0, 0, 4, 0, 6, -1, 4),
            ProducerEntry(3, 0, 0, 2, 0, 7),
        ]
    )
    assert producers.first_unstable == 4
    assert producers.open_transactions == 2


def test_a_transaction_that_outlived_every_timeout_is_late() -> None:
    producers = after(batch(0, attributes=TX, time=1000))
    assert not producers.has_late(1000 + 900_000 + 300_000, 900_000)
    assert producers.has_late(1001 + 900_000 + 300_000, 900_000)
    producers.replay(*marker(0, 1))
    assert not producers.has_late(1 << 50, 900_000)
