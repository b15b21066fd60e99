"""The test of the test: bugs planted in the short ways, each of which the stories of ``test_ways.py`` must notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from kafkawire.batches import BatchHeader
from pykafkad.api import fetch as fetch_api
from pykafkad.api import produce as produce_api
from pykafkad.net.plain import Connection
from pykafkad.runtime import partition as partitions
from pykafkad.runtime.partition import Partition
from pykafkad.state.fetch_sessions import FetchSessions
from pykafkad.storage.log import PartitionLog
from tests.kit.ways import Plant, Step, compare
from tests.net.test_ways import STORIES, stories


def readers_of_committed_records_see_a_transaction_that_began_in_a_run(patch: pytest.MonkeyPatch) -> None:
    write, refresh = Partition._write, Partition._refresh
    writing: list[bool] = []

    def written(partition: Partition, *arguments: Any) -> Any:
        writing.append(True)
        try:
            return write(partition, *arguments)
        finally:
            writing.pop()

    patch.setattr(Partition, "_write", written)
    patch.setattr(Partition, "_refresh", lambda partition: None if writing else refresh(partition))


def a_run_does_not_look_at_sequences(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "_follows_on", lambda partition, headers, header, guard: True)


def a_run_takes_the_same_sequence_twice(patch: pytest.MonkeyPatch) -> None:
    follows_on = Partition._follows_on

    def follows(partition: Partition, headers: Sequence[BatchHeader], header: BatchHeader, guard: Any) -> bool:
        return follows_on(partition, headers, header, guard) or bool(headers and headers[-1][10:13] == header[10:13])

    patch.setattr(Partition, "_follows_on", follows)


def a_run_outgrows_its_segment(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PartitionLog, "room", property(lambda log: 1 << 40))


def a_run_goes_on_behind_a_marker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "in_progress", lambda partition, batches: True)
    patch.setattr(partitions.Producers, "check", _unguarded(partitions.Producers.check))


def _unguarded(check: Any) -> Any:
    def checked(producers: Any, header: BatchHeader, guard: Any = None) -> Any:
        demanded, producers.guards.demanded = producers.guards.demanded, False
        try:
            return check(producers, header, guard)
        finally:
            producers.guards.demanded = demanded

    return checked


def nobody_asks_the_coordinator_about_a_run(patch: pytest.MonkeyPatch) -> None:
    def guard(call: Any, transactional_id: str, partition: Partition, batches: Sequence[memoryview]) -> Any:
        producer_id, epoch, sequence = produce_api.unpack(batches[0], 0)[9:12]
        found = partition.vouch(producer_id, epoch, sequence, call.now, epoch_bumps=call.version >= 12)
        return None if isinstance(found, produce_api.Refused) else found

    patch.setattr(produce_api, "_vouched_at_once", guard)


def a_checksum_counts_for_nothing(patch: pytest.MonkeyPatch) -> None:
    class Whatever(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    patch.setattr(partitions, "crc32c", lambda data: Whatever())


def size_does_not_matter(patch: pytest.MonkeyPatch) -> None:
    configure = Partition.configure

    def configured(partition: Partition, config: Any) -> None:
        configure(partition, config)
        partition._size_max = 1 << 40

    patch.setattr(Partition, "configure", configured)


def a_run_wakes_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "_tell", lambda partition, size: None)


def answers_overtake_one_that_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Connection, "answer", lambda connection, pieces: connection._put(pieces))


def a_session_goes_on_in_any_epoch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FetchSessions, "of_one", lambda sessions, session_id, epoch: sessions._sessions.get(session_id))


def _looking(patch: pytest.MonkeyPatch, **changed: Any) -> None:
    look = fetch_api._look

    def looked(call: Any, mould: Any, offset: int, *, wait: bool) -> Any:
        before = {name: getattr(mould, name) for name in changed}
        try:
            for name, value in changed.items():
                setattr(mould, name, value)
            return look(call, mould, offset, wait=wait)
        finally:
            for name, value in before.items():
                setattr(mould, name, value)

    patch.setattr(fetch_api, "_look", looked)


def a_repeated_fetch_sees_what_is_not_committed(patch: pytest.MonkeyPatch) -> None:
    _looking(patch, committed=False)


def a_repeated_fetch_is_of_any_leader_epoch(patch: pytest.MonkeyPatch) -> None:
    _looking(patch, leader_epoch=-1)


def a_repeated_fetch_does_not_hear_of_aborted_transactions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "aborted", lambda partition, offset, piece, wait: ())


MUTANTS: list[Plant] = [
    readers_of_committed_records_see_a_transaction_that_began_in_a_run,
    a_run_does_not_look_at_sequences,
    a_run_takes_the_same_sequence_twice,
    a_run_outgrows_its_segment,
    a_run_goes_on_behind_a_marker,
    nobody_asks_the_coordinator_about_a_run,
    a_checksum_counts_for_nothing,
    size_does_not_matter,
    a_run_wakes_nobody,
    answers_overtake_one_that_waits,
    a_session_goes_on_in_any_epoch,
    a_repeated_fetch_sees_what_is_not_committed,
    a_repeated_fetch_is_of_any_leader_epoch,
    a_repeated_fetch_does_not_hear_of_aborted_transactions,
]


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_noticed(plant: Plant) -> None:
    """By one of the short stories, or else by long ones."""

    @settings(max_examples=3_000, derandomize=True, database=None, phases=[Phase.generate])
    @given(stories)
    def told(steps: list[Step]) -> None:
        compare(steps, Counter(), plant)

    with pytest.raises(AssertionError):
        for story in STORIES.values():
            compare(story, Counter(), plant)
        told()
