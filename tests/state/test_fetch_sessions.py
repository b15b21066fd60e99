"""KIP-227 sessions: epochs, what is remembered, what is said again, and who gives way in a full cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.model import ZERO_UUID
from pykafkad.state.fetch_sessions import EPOCH_MAX, EVICTION_MS, FetchSessions, Key, Resolved, Wanted


def sessions(slots: int = 10) -> FetchSessions:
    return FetchSessions(slots, itertools.count(1).__next__)


def ask(*keys: tuple[str, int], offset: int = 0) -> dict[Key, Wanted]:
    return {(topic, index): Wanted(topic, ZERO_UUID, index, offset, 1000) for topic, index in keys}


def go(
    cache: FetchSessions,
    session: int,
    epoch: int,
    wanted: dict[Key, Wanted] | None = None,
    forgotten: Iterable[Key] = (),
    *,
    ids: bool = False,
    privileged: bool = False,
    now: int = 0,
) -> Resolved | Refused:
    return cache.resolve(session, epoch, wanted or {}, forgotten, uses_ids=ids, privileged=privileged, now=now)


def opened(cache: FetchSessions, wanted: dict[Key, Wanted], *, privileged: bool = False, now: int = 0) -> int:
    resolved = go(cache, 0, 0, wanted, privileged=privileged, now=now)
    assert isinstance(resolved, Resolved)
    return 0 if resolved.session is None else resolved.session.id


def names(resolved: Resolved | Refused) -> list[tuple[str, int, int]]:
    assert isinstance(resolved, Resolved)
    return [(wanted.topic, wanted.index, wanted.fetch_offset) for wanted in resolved.partitions]


def code(resolved: Resolved | Refused) -> ErrorCode:
    assert isinstance(resolved, Refused)
    return resolved.code


def test_without_a_session_nothing_is_remembered() -> None:
    cache = sessions()
    resolved = go(cache, 0, -1, ask(("a", 0)))
    assert names(resolved) == [("a", 0, 0)]
    assert isinstance(resolved, Resolved) and resolved.session is None and not resolved.incremental
    assert len(cache) == 0


def test_an_incremental_fetch_reads_what_the_session_remembers() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0), ("b", 1)))
    assert names(go(cache, number, 1)) == [("a", 0, 0), ("b", 1, 0)]
    assert names(go(cache, number, 2, ask(("a", 0), offset=7))) == [("a", 0, 7), ("b", 1, 0)]
    assert names(go(cache, number, 3, ask(("c", 0)), [("a", 0)])) == [("b", 1, 0), ("c", 0, 0)]


def test_the_epoch_must_be_the_expected_one() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0)))
    assert code(go(cache, number, 2)) == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert isinstance(go(cache, number, 1), Resolved)
    assert code(go(cache, number, 1)) == ErrorCode.INVALID_FETCH_SESSION_EPOCH


def test_the_epoch_wraps_to_one() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0)))
    resolved = go(cache, number, 1)
    assert isinstance(resolved, Resolved) and resolved.session is not None
    resolved.session.epoch = EPOCH_MAX
    assert isinstance(go(cache, number, EPOCH_MAX), Resolved)
    assert isinstance(go(cache, number, 1), Resolved)


def test_an_unknown_session() -> None:
    assert code(go(sessions(), 99, 1)) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_names_and_ids_do_not_mix() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0)))
    assert code(go(cache, number, 1, ids=True)) == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_epochs_zero_and_minus_one_close_the_session_that_is_named() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0)))
    other = go(cache, number, 0, ask(("b", 0)))
    assert isinstance(other, Resolved) and other.session is not None and other.session.id != number
    assert len(cache) == 1
    go(cache, other.session.id, -1, ask(("b", 0)))
    assert len(cache) == 0


def test_a_session_left_empty_is_closed() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0)))
    resolved = go(cache, number, 1, None, [("a", 0)])
    assert names(resolved) == []
    assert isinstance(resolved, Resolved) and resolved.session is None
    assert len(cache) == 0


def test_what_must_be_said_again() -> None:
    wanted = Wanted("a", ZERO_UUID, 0, 0, 1000)
    assert wanted.answer(0, 5, 0, 0, False), "the first answer is all news"
    assert not wanted.answer(0, 5, 0, 0, False)
    assert wanted.answer(100, 5, 0, 0, False), "records"
    assert wanted.answer(0, 6, 0, 0, False), "high watermark"
    assert wanted.answer(0, 6, 2, 0, False), "log start"
    assert wanted.answer(0, 6, 2, 0, True), "divergence"
    assert not wanted.answer(0, 6, 2, 0, False)
    assert wanted.answer(0, -1, -1, 6, False), "error"
    assert wanted.answer(0, 6, 2, 0, False), "recovery"


def test_whoever_had_data_goes_to_the_end() -> None:
    cache = sessions()
    number = opened(cache, ask(("a", 0), ("b", 0), ("c", 0)))
    resolved = go(cache, number, 1)
    assert isinstance(resolved, Resolved) and resolved.session is not None
    cache.rotate(resolved.session, ("a", 0))
    assert [name for name, _, _ in names(go(cache, number, 2))] == ["b", "c", "a"]


def test_a_full_cache_answers_without_a_session() -> None:
    cache = sessions(1)
    assert opened(cache, ask(("a", 0))) == 1
    assert opened(cache, ask(("b", 0))) == 0
    assert opened(sessions(0), ask(("a", 0))) == 0


def test_an_idle_session_gives_way() -> None:
    cache = sessions(1)
    first = opened(cache, ask(("a", 0)))
    assert opened(cache, ask(("b", 0)), now=EVICTION_MS) == 0
    assert opened(cache, ask(("b", 0)), now=EVICTION_MS + 1) != 0
    assert code(go(cache, first, 1)) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert cache.evictions == 1


def test_a_smaller_session_past_its_first_two_minutes_gives_way_to_a_larger_one() -> None:
    cache = sessions(1)
    number = opened(cache, ask(("a", 0)))
    go(cache, number, 1, now=EVICTION_MS + 1)
    assert opened(cache, ask(("b", 0)), now=EVICTION_MS + 2) == 0, "not larger"
    assert opened(cache, ask(("b", 0), ("b", 1)), now=EVICTION_MS + 2) != 0


def test_a_consumer_gives_way_to_a_replica_and_never_the_other_way_round() -> None:
    cache = sessions(1)
    opened(cache, ask(("a", 0), ("a", 1)))
    assert opened(cache, ask(("r", 0)), privileged=True) != 0
    assert opened(cache, ask(("b", 0), ("b", 1)), now=1) == 0
    assert opened(cache, ask(("s", 0), ("s", 1)), privileged=True, now=1) == 0, "both replicas, both new"
