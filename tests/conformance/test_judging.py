"""The judge of `make check-transactions`: each anomaly in the smallest history that has it, and none where none is."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.checking.history import Key, read
from conformance.checking.judging import judge, told

IN, OUT = ("in", 0), ("out", 0)


class Story:
    """A history, told in the order in which it happened."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.logs: dict[Key, list[tuple[int, str]]] = {IN: [], OUT: []}
        self.hidden: set[str] = set()
        self.stable: dict[Key, int] = {}
        self.ends: dict[Key, int] = {}
        self.group: dict[Key, int] = {}

    def say(self, what: str, **fields: Any) -> Story:
        self.lines.append(json.dumps({"at": float(len(self.lines)), "what": what, **fields}))
        return self

    def producer(self, name: str, transactional_id: str = "id") -> Story:
        return self.say("init", by=name, id=transactional_id).say("ready", by=name)

    def begin(self, txn: str, by: str, *sends: tuple[Key, str], offsets: dict[Key, int] | None = None) -> Story:
        self.say("begin", txn=txn, by=by)
        for key, value in sends:
            self.say("send", txn=txn, key=key, value=value)
        return self.say("offsets", txn=txn, offsets=[[*key, offset] for key, offset in (offsets or {}).items()])

    def end(self, txn: str, outcome: str | None, *, asked: bool = True) -> Story:
        """``outcome`` None: nobody answered."""
        if asked:
            self.say("commit", txn=txn)
        return self.say("ended", txn=txn, outcome=outcome) if outcome else self

    def committed(self, txn: str, by: str, *sends: tuple[Key, str], offsets: dict[Key, int] | None = None) -> Story:
        return self.begin(txn, by, *sends, offsets=offsets).end(txn, "committed")

    def poll(self, consumer: str, *reads: tuple[Key, int, str], committed: bool = True) -> Story:
        return self.say("poll", by=consumer, committed=committed, reads=[[*key, at, value] for key, at, value in reads])

    def watch(self, **offsets: int) -> Story:
        return self.say("watch", offsets=[[topic, 0, offset] for topic, offset in offsets.items()])

    def stored(self, key: Key, *values: str, hidden: tuple[str, ...] = ()) -> Story:
        """From offset 0 on, each followed by a marker. ``hidden``: what readers of committed records don't get."""
        self.logs[key] = [(2 * number, value) for number, value in enumerate(values)]
        self.hidden |= set(hidden)
        return self

    def judged(self) -> set[str]:
        """The kinds of what is wrong."""
        for key, log in self.logs.items():
            end = self.ends.get(key, 2 * len(log))
            for committed in (True, False):
                reads = [[*key, at, value] for at, value in log if not (committed and value in self.hidden)]
                stable = self.stable.get(key, end) if committed else end
                self.say("log", key=key, committed=committed, end=stable, reads=reads)
        self.say("end", moved=["in"], offsets=[[*key, offset] for key, offset in self.group.items()])
        anomalies = judge(read(self.lines))
        assert bool(told(anomalies)) is bool(anomalies)
        return {anomaly.kind for anomaly in anomalies}


def moved(*values: str) -> Story:
    """A writer has written, a mover has moved each value in a transaction of its own."""
    story = Story().producer("w", "writer").producer("m", "mover")
    for number, value in enumerate(values):
        story.committed(f"w{number}", "w", (IN, value))
        story.committed(f"m{number}", "m", (OUT, f"{value}'<{value}"), offsets={IN: 2 * number + 1})
        story.group[IN] = 2 * number + 1
    return story.stored(IN, *values).stored(OUT, *(f"{value}'<{value}" for value in values))


def test_nothing_is_wrong() -> None:
    assert moved("a", "b").judged() == set()


def test_a_committed_value_that_is_not_there_is_lost() -> None:
    story = Story().producer("w").committed("t", "w", (OUT, "a"), (OUT, "b"))
    assert story.stored(OUT, "a").judged() == {"lost"}


def test_a_value_that_was_read_and_is_gone_is_lost() -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a")).end("t", None)
    assert story.poll("c", (OUT, 0, "a")).stored(OUT).judged() == {"lost"}


def test_an_unconfirmed_transaction_may_be_there_or_not_but_whole() -> None:
    def story(*values: str) -> Story:
        sent = Story().producer("w").begin("t", "w", (OUT, "a"), (OUT, "b")).end("t", None)
        return sent.stored(OUT, *values)

    assert story("a", "b").judged() == set()
    assert story().judged() == set()
    assert story("a").judged() == {"torn"}


@pytest.mark.parametrize("ending", ["aborted on purpose", "aborted instead", "never ended"])
def test_an_aborted_value_is_nobodys(ending: str) -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a"))
    if ending != "never ended":
        story.end("t", "aborted", asked=ending == "aborted instead")
    assert story.poll("c", (OUT, 0, "a")).stored(OUT, "a", hidden=("a",)).judged() == {"aborted read"}


def test_an_aborted_value_is_not_there_at_the_end() -> None:
    assert Story().producer("w").begin("t", "w", (OUT, "a")).stored(OUT, "a").judged() == {"aborted read"}


def test_readers_of_everything_may_see_what_is_aborted() -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a")).poll("c", (OUT, 0, "a"), committed=False)
    assert story.end("t", "aborted", asked=False).stored(OUT, "a", hidden=("a",)).judged() == set()


def test_nothing_is_read_before_it_is_to_be_committed() -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a")).poll("c", (OUT, 0, "a"))
    assert story.end("t", "committed").stored(OUT, "a").judged() == {"early read"}


def test_nothing_is_read_that_nobody_sent() -> None:
    assert Story().producer("w").stored(OUT, "x").judged() == {"phantom"}


def test_a_value_is_in_one_place() -> None:
    assert Story().producer("w").committed("t", "w", (OUT, "a")).stored(OUT, "a", "a").judged() == {"duplicate"}


def test_an_offset_has_one_value() -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a")).poll("c", (OUT, 0, "a"), committed=False)
    story.end("t", "aborted", asked=False).committed("u", "w", (OUT, "b"))
    assert story.stored(OUT, "b").judged() == {"inconsistent offset"}


def test_a_value_is_where_its_producer_was_told() -> None:
    story = Story().producer("w").begin("t", "w", (OUT, "a"), (OUT, "b")).say("told", txn="t", value="b", offset=0)
    assert story.end("t", "committed").stored(OUT, "a", "b").judged() == {"inconsistent offset"}


def test_values_stand_in_the_order_in_which_they_were_sent() -> None:
    story = Story().producer("w").committed("t", "w", (OUT, "a")).committed("u", "w", (OUT, "b"))
    assert story.stored(OUT, "b", "a").judged() == {"reordered"}


def test_two_producers_values_stand_in_any_order() -> None:
    story = Story().producer("v", "one").producer("w", "two")
    story.committed("t", "v", (OUT, "a")).committed("u", "w", (OUT, "b"))
    assert story.stored(OUT, "b", "a").judged() == set()


def test_a_consumer_goes_forwards() -> None:
    story = Story().producer("w").committed("t", "w", (OUT, "a"), (OUT, "b")).stored(OUT, "a", "b")
    story.poll("c", (OUT, 0, "a"), (OUT, 2, "b")).poll("c", (OUT, 0, "a"))
    assert story.judged() == {"nonmonotonic poll"}


def test_a_consumer_skips_nothing() -> None:
    def story() -> Story:
        sent = Story().producer("w").committed("t", "w", (OUT, "a"), (OUT, "b"), (OUT, "c"))
        return sent.stored(OUT, "a", "b", "c")

    assert story().poll("c", (OUT, 0, "a")).poll("c", (OUT, 4, "c")).judged() == {"skipped"}
    assert story().poll("c", (OUT, 0, "a"), (OUT, 4, "c")).judged() == set()  # nobody knows where it began
    assert story().say("start", by="c", offsets=[[*OUT, 0]]).poll("c", (OUT, 2, "b")).judged() == {"skipped"}
    assert story().say("start", by="c", offsets=[[*OUT, 2]]).poll("c", (OUT, 2, "b")).judged() == set()


def test_a_consumer_that_seeks_is_another_one() -> None:
    story = Story().producer("w").committed("t", "w", (OUT, "a"), (OUT, "b")).stored(OUT, "a", "b")
    assert story.poll("c1", (OUT, 2, "b")).poll("c2", (OUT, 0, "a")).judged() == set()


def test_everything_can_be_read_to_its_end() -> None:
    story = moved("a")
    story.stable[OUT] = 1
    assert story.judged() == {"hanging"}


def test_who_has_a_successor_commits_no_more() -> None:
    story = Story().producer("old").begin("t", "old", (OUT, "a")).producer("new")
    assert story.end("t", "committed").stored(OUT, "a").judged() == {"zombie"}


def test_what_a_predecessor_asked_too_late_is_aborted() -> None:
    story = Story().producer("old").begin("t", "old", (OUT, "a")).producer("new")
    assert story.end("t", None).stored(OUT, "a").judged() == {"aborted read"}


def test_what_a_predecessor_asked_in_time_may_be_there() -> None:
    story = Story().producer("old").begin("t", "old", (OUT, "a")).end("t", None).producer("new")
    assert story.stored(OUT, "a").judged() == set()


def refused(story: Story, by: str) -> set[str]:
    return story.say("gone", by=by, why="", code="PRODUCER_FENCED").judged()


def test_who_is_alone_under_its_name_and_in_time_is_refused_nothing() -> None:
    def story(timeout_ms: int) -> Story:
        begun = Story().say("init", by="w", id="id", timeout_ms=timeout_ms).say("ready", by="w")
        return begun.begin("t", "w", (OUT, "a"))

    assert refused(story(60_000), "w") == {"refused"}
    assert refused(story(60_000).producer("v", "another"), "w") == {"refused"}
    assert refused(story(60_000).producer("v", "id"), "w") == set()
    assert refused(story(1_000), "w") == set()  # each line takes a second
    assert refused(story(0), "w") == set()  # nobody knows how long it might have taken


def test_who_may_have_been_overtaken_by_an_older_request_is_refused_with_reason() -> None:
    def story(*ready: str) -> Story:
        begun = Story().say("init", by="old", id="id", timeout_ms=60_000)
        for name in ready:
            begun.say("ready", by=name)
        return begun.say("init", by="w", id="id", timeout_ms=60_000).say("ready", by="w")

    assert refused(story(), "w") == set()
    assert refused(story("old"), "w") == {"refused"}


def test_a_value_is_moved_once() -> None:
    story = moved("a").committed("again", "m", (OUT, "a''<a"), offsets={IN: 1})
    assert story.stored(OUT, "a'<a", "a''<a").judged() == {"moved twice"}


def test_a_value_is_not_passed_over() -> None:
    story = moved("a").committed("w9", "w", (IN, "b")).stored(IN, "a", "b")
    assert story.judged() == {"moved never"}


def test_what_was_aborted_is_not_moved() -> None:
    story = moved("a").begin("w9", "w", (IN, "b")).end("w9", "aborted", asked=False)
    story.committed("m9", "m", (OUT, "b'<b"), offsets={IN: 1}).stored(OUT, "a'<a", "b'<b")
    assert story.judged() == {"aborted read"}


def test_an_offset_is_not_seen_before_it_is_to_be_committed() -> None:
    story = Story().producer("w", "writer").producer("m", "mover").committed("w0", "w", (IN, "a"))
    story.begin("m0", "m", (OUT, "a'<a"), offsets={IN: 1}).watch(**{"in": 1}).end("m0", "committed")
    story.group[IN] = 1
    assert story.stored(IN, "a").stored(OUT, "a'<a").judged() == {"offset ahead"}


def test_an_offset_of_an_aborted_transaction_is_never_seen() -> None:
    story = moved("a").begin("m9", "m", offsets={IN: 2}).end("m9", "aborted").watch(**{"in": 2})
    assert story.judged() == {"offset ahead"}


def test_an_offset_is_not_behind_the_data() -> None:
    story = moved("a").committed("m9", "m", offsets={IN: 5})
    story.group[IN] = 5
    assert story.judged() == {"offset ahead"}


def test_an_offset_that_was_committed_is_not_taken_back() -> None:
    story = moved("a", "b")
    story.group[IN] = 1
    assert story.judged() == {"offset back"}
    assert moved("a", "b").watch(**{"in": 3}).watch(**{"in": 1}).judged() == {"offset back"}


def test_a_line_that_was_torn_by_a_kill_is_nobodys_word() -> None:
    story = moved("a")
    story.lines.append('{"at": 3.0, "what": "poll", "rea')
    assert story.judged() == set()


def life(chance: random.Random, count: int) -> Story:
    """Transactions that overlap, as they come, and a consumer that reads as far as it may at the time."""
    story = Story()
    log: list[tuple[str, str]] = []  # value, transaction; no value: a marker
    running: dict[str, int] = {}
    given_up: set[str] = set()
    position = 0
    for number in range(count):
        running[f"t{number}"] = 0
        story.producer(f"p{number}", f"id{number}").begin(f"t{number}", f"p{number}")
    while running:
        name = chance.choice(list(running))
        match chance.choice(("send", "send", "end", "read")):
            case "send":
                value = f"{name}.{running[name]}"
                running[name] += 1
                story.say("send", txn=name, key=OUT, value=value)
                story.say("told", txn=name, value=value, offset=len(log))
                log.append((value, name))
            case "end":
                del running[name]
                committed = chance.random() < 0.6
                story.end(name, chance.choice(("committed" if committed else "aborted", None)), asked=committed)
                if not committed:
                    given_up.add(name)
                log.append(("", name))
            case _:
                stable = min((at for at, (_, one) in enumerate(log) if one in running), default=len(log))
                seen = enumerate(log[position:stable], position)
                story.poll("c", *((OUT, at, value) for at, (value, one) in seen if value and one not in given_up))
                position = max(position, stable)
    story.logs[OUT] = [(at, value) for at, (value, _) in enumerate(log) if value]
    story.hidden = {value for value, one in log if value and one in given_up}
    story.ends[OUT] = len(log)
    return story


@settings(deadline=None)
@given(st.integers(0, 1 << 30).map(random.Random), st.integers(1, 12))
def test_a_log_that_keeps_its_word_is_never_accused(chance: random.Random, count: int) -> None:
    assert life(chance, count).judged() == set()


@settings(deadline=None)
@given(st.integers(0, 1 << 30).map(random.Random), st.integers(1, 12))
def test_a_log_that_shows_what_was_aborted_is_found_out(chance: random.Random, count: int) -> None:
    story = life(chance, count)
    aborted, story.hidden = story.hidden, set()
    assert ("aborted read" in story.judged()) is bool(aborted)


@settings(deadline=None)
@given(st.integers(0, 1 << 30).map(random.Random), st.integers(1, 12))
def test_a_log_that_loses_a_part_of_a_transaction_is_found_out(chance: random.Random, count: int) -> None:
    story = life(chance, count)
    parts: dict[str, list[str]] = {}
    for _, value in story.logs[OUT]:
        if value not in story.hidden:
            parts.setdefault(value.partition(".")[0], []).append(value)
    several = [values for values in parts.values() if len(values) > 1]
    if several:
        story.hidden.add(chance.choice(chance.choice(several)))
        assert story.judged() & {"lost", "torn"}
