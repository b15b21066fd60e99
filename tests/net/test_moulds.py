"""Requests that come again take a shorter way: nobody may be able to tell, neither by the answers nor by the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkawire import records as wire_records
from kafkawire.api import heartbeat, produce
from kafkawire.errors import ErrorCode
from kafkawire.headers import request_frame
from pykafkad import api
from pykafkad.net.dispatch import Dispatcher
from tests.kit.broker import Broker, topic_id
from tests.kit.disk import MemoryDisk
from tests.kit.loop import run
from tests.kit.net import Harness, received
from tests.kit.vouching import Question, Voucher

NOW = 1_700_000_000_000


class Asked(NamedTuple):
    """One frame; ``harm`` says what is wrong with it."""

    version: int = 9
    acks: int = 1
    topic: str = "t"
    index: int = 0
    count: int = 1
    size: int = 10
    producer: tuple[int, int, int] = (-1, -1, -1)  # id, epoch, sequence
    client: str | None = "tester"
    harm: str = ""
    transactional: bool = False

    def frame(self, correlation: int) -> bytes:
        producer_id, epoch, sequence = self.producer
        batch = wire_records.build(
            [(b"k", b"v" * self.size)] * self.count,
            timestamp=NOW,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            transactional=self.transactional or self.harm.startswith("no id"),
        )
        if self.harm in ("crc", "no id, crc"):
            batch = batch[:-1] + bytes([batch[-1] ^ 1])
        elif self.harm == "time":
            batch = wire_records.build([(b"k", b"v")], timestamp=NOW + 10_000_000_000)
        elif self.harm == "short":
            batch = batch[:30]
        elif self.harm == "two":
            batch = batch + batch
        partition = produce.PartitionProduceData(index=self.index, records=None if self.harm == "null" else batch)
        partitions = [partition, produce.PartitionProduceData(index=1, records=batch)]
        by_id = self.version >= 13
        topic = produce.TopicProduceData(
            name="" if by_id else self.topic,
            topic_id=topic_id(self.topic) if by_id else bytes(16),
            partition_data=partitions if self.harm == "more" else partitions[:1],
        )
        asked = produce.Request(
            acks=self.acks,
            timeout_ms=1000,
            topic_data=[topic],
            transactional_id="x" if self.transactional or self.harm == "transactional" else None,
        )
        made = b"".join(map(bytes, request_frame(0, self.version, correlation, self.client, asked)))  # type: ignore[arg-type]
        if self.harm == "tag":
            made = made[:-1] + b"\x01\x63\x00"
        elif self.harm == "trailing":
            made += b"\0"
        elif self.harm == "length" and self.version >= 9:  # a length that takes more bytes than it needs
            at = made.rindex(bytes(batch))
            made = made[: at - 1] + bytes([made[at - 1] | 128, 0]) + made[at:]
        elif self.harm == "cut":
            made = made[:-5]
        return (len(made) - 4).to_bytes(4, "big") + made[4:]


class Side:
    """A broker behind a socket, with the shorter way or without."""

    def __init__(self, *, again: bool, **topic: str) -> None:
        self.broker = Broker(disk=MemoryDisk(), t=2)
        self.broker.add("settled", 2, **topic)
        self.broker.add("elsewhere", 2, leader=2, replicas=(2,))
        self.harness = Harness()
        self.harness.server.dispatcher = Dispatcher(asyncio.get_running_loop(), self.broker.node, self.broker.metrics)
        self.harness.server.dispatcher._defects._write = self.fail  # type: ignore[method-assign]
        self.again = again
        self.client, self.connection = self.harness.connect()

    @staticmethod
    def fail(event: str, **fields: Any) -> None:
        raise AssertionError(event) from fields.get("exc_info")

    def say(self, bursts: Sequence[bytes]) -> bytes:
        load, plain = api.load, not self.again

        def loaded(key: int) -> api.Handler | None:
            handler = load(key)
            return handler._replace(again=None) if plain and handler is not None else handler

        heard = b""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api, "load", loaded)
            for burst in bursts:
                left = memoryview(burst)
                try:
                    while left:  # more than the socket takes at once arrives in pieces
                        left = left[self.client.send(left) :]
                        self.harness.loop.settle()
                        heard += received(self.client)
                except OSError:
                    break
        return heard

    def logs(self) -> list[bytes]:
        found = []
        for topic in ("t", "settled"):
            for index in (0, 1):
                piece = self.broker.partition(topic, index).read(0, 1 << 30, 1 << 60, True)
                found.append(b"" if piece is None else piece.read())  # type: ignore[union-attr]
        return found

    def marks(self) -> list[tuple[int, int, int]]:
        return [
            (one.last_stable_offset, one.high_watermark, one.log.end_offset)
            for one in (self.broker.partition(topic, index) for topic in ("t", "settled") for index in (0, 1))
        ]

    def counted(self) -> dict[str, float]:
        names = ("messagesin", "bytesin", "totalproducerequests", "failedproducerequests")
        return {
            f"{name} {topic}": self.broker.metrics.counter(f"kafka_server_brokertopicmetrics_{name}_total", topic).value
            for name in names
            for topic in ("t", "settled")
        }

    def close(self) -> None:
        self.harness.close()


def both(asked: Sequence[Asked], burst: int, **topic: str) -> Side:
    """Ask both in bursts; what they say and store must be the same. The one with the shorter way."""
    frames = [one.frame(number) for number, one in enumerate(asked)]
    together = [b"".join(frames[at : at + burst]) for at in range(0, len(frames), burst)]
    short, long = Side(again=True, **topic), Side(again=False, **topic)
    try:
        assert short.say(together) == long.say(frames)
        assert short.connection.closed == long.connection.closed
        assert short.logs() == long.logs()
        assert short.marks() == long.marks()
        assert short.counted() == long.counted()
        return short
    finally:
        short.close()
        long.close()


producers = st.tuples(st.sampled_from([7, 8]), st.sampled_from([0, 0, 0, 1]), st.integers(0, 6))
harms = st.sampled_from(
    [""] * 30
    + ["crc", "time", "short", "two", "null", "more", "transactional", "tag", "trailing", "length", "cut"]
    + ["no id", "no id, crc"]
)
asks = st.builds(
    Asked,
    version=st.sampled_from([9, 9, 9, 3, 5, 8, 12, 13]),
    acks=st.sampled_from([1, 1, 1, -1, 0, 2]),
    topic=st.sampled_from(["t", "t", "t", "settled", "elsewhere", "nobody"]),
    index=st.sampled_from([0, 0, 0, 1, 5]),
    count=st.integers(1, 3),
    size=st.sampled_from([1, 10, 200, 20_000]),
    producer=st.one_of(st.just((-1, -1, -1)), producers),
    client=st.sampled_from(["tester", "tester", "other", "", None]),
    harm=harms,
    transactional=st.just(False),
)
repeated = st.lists(
    st.tuples(asks, st.integers(1, 6)).map(lambda pair: [pair[0]] * pair[1]), min_size=1, max_size=8
).map(lambda lists: [one for some in lists for one in some])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repeated, st.integers(1, 20))
def test_answers_logs_and_metrics_are_those_of_the_ordinary_way(asked: list[Asked], burst: int) -> None:
    async def main() -> None:
        both(asked, burst)

    run(main())


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version(version: int) -> None:
    async def main() -> None:
        side = both([Asked(version=version, size=size) for size in (1, 100, 127, 128, 16_300, 16_400, 100_000, 1)], 3)
        (route,) = side.harness.server.dispatcher._routes.values()
        assert bool(route.moulds) == (version >= 5), "the shorter way was taken where there is one"

    run(main())


transactions = st.lists(
    st.tuples(
        st.lists(
            st.builds(
                Asked,
                version=st.sampled_from([9, 9, 9, 11, 12, 13]),
                acks=st.just(-1),
                topic=st.just("t"),
                index=st.sampled_from([0, 0, 0, 1]),
                count=st.integers(1, 2),
                size=st.just(10),
                producer=producers,
                client=st.just("tester"),
                harm=st.just(""),
                transactional=st.sampled_from([True] * 9 + [False]),
            ),
            min_size=1,
            max_size=6,
        ),
        st.sampled_from([None, (7, 0), (7, 1), (8, 0), (8, 1)]),
        st.sampled_from([*[ErrorCode.NONE] * 4, ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.CONCURRENT_TRANSACTIONS]),
    ),
    max_size=8,
)


def _each_once(questions: Sequence[Question]) -> list[Question]:
    """In a burst no answer changes: the ordinary way asks again after a sequence was refused, the short one needn't."""
    return [one for number, one in enumerate(questions) if one not in questions[:number]]


def both_in_transactions(turns: Sequence[tuple[Sequence[Asked], tuple[int, int] | None, ErrorCode]]) -> Side:
    """Bursts, each with what the coordinator says meanwhile, and the end of a producer's transaction behind it."""
    short, long = Side(again=True), Side(again=False)
    vouchers = [Voucher(), Voucher()]
    try:
        for side, voucher in zip((short, long), vouchers, strict=True):
            side.broker.node.transactions = voucher  # type: ignore[assignment]
        for asked, ended, said in turns:
            for voucher in vouchers:
                voucher.codes = (said,)
            frames = [one.frame(number) for number, one in enumerate(asked)]
            assert short.say([b"".join(frames)]) == long.say(frames)
            assert said or _each_once(vouchers[0].asked) == _each_once(vouchers[1].asked), "one was asked for nothing"
            assert short.marks() == long.marks()
            for voucher in vouchers:
                voucher.asked.clear()
            for side in (short, long):
                for index in (0, 1) if ended else ():
                    side.broker.end("t", *ended, commit=True, index=index)
        assert short.logs() == long.logs()
        assert short.counted() == long.counted()
        assert short.marks() == long.marks()
        return short
    finally:
        short.close()
        long.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(transactions)
def test_transactions_begin_and_go_on_as_in_the_ordinary_way(turns: list[Any]) -> None:
    async def main() -> None:
        both_in_transactions(turns)

    run(main())


@pytest.mark.parametrize("version", [9, 11, 12, 13])
def test_transactions_of_several_batches_one_after_the_other(version: int) -> None:
    def at(sequence: int, epoch: int) -> Asked:
        return Asked(version=version, acks=-1, producer=(7, epoch, sequence), transactional=True)

    async def main() -> None:
        bumps = version >= 12
        turns = []
        for number in range(4):  # under version 2 each transaction has its own epoch, and begins at 0
            first, epoch = (0, number) if bumps else (3 * number, 0)
            asked = [at(first + i, epoch) for i in range(3)]
            turns.append((asked, (7, epoch + 1 if bumps else 0), ErrorCode.NONE))
        side = both_in_transactions(turns)
        assert side.broker.partition("t").log.end_offset == 4 * (3 + 1)

    run(main())


def test_readers_wait_for_a_transaction_that_could_not_begin_at_first() -> None:
    async def main() -> None:
        side, voucher = Side(again=True), Voucher(ErrorCode.CONCURRENT_TRANSACTIONS)
        side.broker.node.transactions = voucher  # type: ignore[assignment]
        asked = Asked(version=12, acks=-1, producer=(7, 0, 0), transactional=True)
        try:
            side.say([asked.frame(0)])
            voucher.codes = (ErrorCode.NONE,)
            side.say([asked.frame(1)])
            assert side.marks()[0] == (0, 1, 1)
        finally:
            side.close()

    run(main())


def test_who_must_wait_for_the_coordinator_goes_the_ordinary_way() -> None:
    def at(sequence: int) -> bytes:
        return Asked(acks=-1, producer=(7, 0, sequence), transactional=True).frame(sequence)

    async def main() -> None:
        side, voucher = Side(again=True), Voucher()
        side.broker.node.transactions = voucher  # type: ignore[assignment]
        try:
            assert side.say([at(0)])
            side.broker.end("t", 7, 0, commit=True)
            voucher.slow = True
            assert side.say([at(1) + at(2)]) == b"" and side.harness.server.waiting == 1
            voucher.answer()
            await asyncio.sleep(1)
            assert received(side.client)
            assert side.broker.partition("t").log.end_offset == 4
        finally:
            side.close()

    run(main())


def test_sequences_go_on_inside_a_run_and_gaps_are_refused() -> None:
    def at(sequence: int) -> Asked:
        return Asked(producer=(7, 0, sequence))

    async def main() -> None:
        side = both([at(0), at(1), at(2), at(2), at(3), at(9), at(4), at(1), at(5)], 9)
        assert side.broker.partition("t").log.end_offset == 6

    run(main())


@pytest.mark.parametrize("acks", [2, -2, 100])
def test_acks_that_do_not_exist_are_refused_each_time(acks: int) -> None:
    async def main() -> None:
        side = both([Asked(acks=acks)] * 4, 4)
        assert side.broker.partition("t").log.end_offset == 0

    run(main())


@pytest.mark.parametrize("harm", ["no id", "no id, crc"])
def test_a_transactional_batch_without_a_transactional_id_is_refused_before_a_partition_is_looked_at(harm: str) -> None:
    async def main() -> None:
        side = both([Asked(), Asked(), Asked(producer=(7, 0, 0), harm=harm), Asked()], 4)
        assert side.broker.partition("t").log.end_offset == 3
        assert side.counted()["totalproducerequests t"] == 3

    run(main())


@pytest.mark.parametrize("kind", [{"internal_segment_bytes": "1100"}, {"message_timestamp_type": "LogAppendTime"}])
def test_topics_with_their_own_ways(kind: dict[str, str]) -> None:
    async def main() -> None:
        side = both([Asked(topic="settled", size=300)] * 12, 12, **kind)
        log = side.broker.partition("settled").log
        assert log.end_offset == 12
        assert (len(log.segments) > 1) == ("internal_segment_bytes" in kind)

    run(main())


def test_those_who_must_wait_go_the_ordinary_way() -> None:
    async def main() -> None:
        side = Side(again=True, flush_messages="1")
        try:
            frames = [Asked(topic="settled", acks=-1).frame(number) for number in range(3)]
            assert side.say([frames[0], frames[1] + frames[2]]) == b""
            assert side.harness.server.waiting == 3, "each waits for its sync, and none keeps the others waiting"
            side.harness.close()
        finally:
            await side.broker.partitions.stop()

    run(main())


def test_a_full_disk_refuses_a_whole_run() -> None:
    async def main() -> None:
        side = Side(again=True)
        asked = [Asked().frame(number) for number in range(6)]
        assert len(side.say([asked[0] + asked[1]])) > 0
        before = side.logs()
        side.broker.disk.capacity = 0
        assert b"\0\x38" in side.say([b"".join(asked[2:])]), "KAFKA_STORAGE_ERROR"
        assert side.logs() == before
        side.broker.disk.capacity = None
        side.say([b"".join(asked[2:])])
        assert side.broker.partition("t").log.end_offset == 6
        side.close()

    run(main())


def test_runs_are_cut_where_another_request_stands() -> None:
    async def main() -> None:
        beat = b"".join(map(bytes, request_frame(12, 4, 99, "tester", heartbeat.Request(group_id="g"))))  # type: ignore[arg-type]
        side = Side(again=True)
        loaded = api.load

        def with_heart(key: int) -> api.Handler | None:
            handler = loaded(key)
            if key == 12 and handler is not None:
                return handler._replace(handle=lambda call, asked: heartbeat.Response())
            return handler

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api, "load", with_heart)
            frames = [Asked().frame(number) for number in range(5)]
            heard = side.say([frames[0], frames[1] + frames[2] + beat + frames[3] + frames[4]])
        found = []
        while heard:
            size = int.from_bytes(heard[:4], "big")
            found.append(int.from_bytes(heard[4:8], "big"))
            heard = heard[4 + size :]
        assert found == [0, 1, 2, 99, 3, 4]
        side.close()

    run(main())


def test_no_room_is_made_for_names_without_end() -> None:
    async def main() -> None:
        side = Side(again=True)
        side.say([Asked(client="x" * 5000).frame(0), Asked(topic="y" * 2000).frame(1)])
        assert not any(route.moulds for route in side.harness.server.dispatcher._routes.values())
        side.close()

    run(main())
