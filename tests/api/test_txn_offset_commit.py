"""TxnOffsetCommit over all versions; which offsets count when is in tests/scripts/groups/transactions.txt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire import codec
from kafkawire.api import offset_fetch
from kafkawire.api import txn_offset_commit as api
from kafkawire.errors import ErrorCode
from pykafkad.runtime.coordinators import OFFSETS_TOPIC
from pykafkad.runtime.shard import LOAD_STEP_BYTES
from tests.api.test_write_txn_markers import marker, written
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import codes_of, deny, offsets_of
from tests.kit.vouching import Question, Voucher

E = ErrorCode
OFFSETS = (OFFSETS_TOPIC, 0)


def commit(*offsets: tuple[str, int, int], group: str = "g", **more: Any) -> api.Request:
    topics: dict[str, list[Any]] = {}
    for topic, partition, offset in offsets:
        topics.setdefault(topic, []).append(api.RequestPartition(partition_index=partition, committed_offset=offset))
    return api.Request(
        transactional_id="tx",
        group_id=group,
        producer_id=more.pop("producer", 7),
        producer_epoch=more.pop("epoch", 0),
        topics=[api.RequestTopic(name=name, partitions=found) for name, found in topics.items()],
        **more,
    )


def vouched(*codes: ErrorCode, slow: bool = False) -> tuple[GroupBroker, Voucher]:
    broker = GroupBroker(offsets=1, t=2)
    voucher = broker.node.transactions = Voucher(*codes, slow=slow)
    return broker, voucher


async def stable(broker: GroupBroker, *partitions: int) -> list[tuple[int, int]]:
    """(offset, error) of partitions of t, as a consumer that requires stable offsets sees them."""
    topics = [offset_fetch.RequestTopics(name="t", partition_indexes=list(partitions))]
    groups = [offset_fetch.RequestGroup(group_id="g", topics=topics)]
    response = await broker.call(offset_fetch.Request(groups=groups, require_stable=True), 8)
    return [(one.committed_offset, one.error_code) for one in response.groups[0].topics[0].partitions]


@pytest.mark.parametrize("version", range(6))
def test_offsets_count_once_the_marker_is_written(version: int) -> None:
    async def main() -> None:
        broker, voucher = vouched()
        response = await broker.call(commit(("t", 0, 5), ("t", 2, 6), ("none", 0, 7)), version)
        assert codes_of(response) == [E.UNKNOWN_TOPIC_OR_PARTITION, 0, E.UNKNOWN_TOPIC_OR_PARTITION]
        assert codec.encode(response, version)
        assert voucher.asked == [Question("tx", 7, 0, [OFFSETS], version >= 5)]
        assert await offsets_of(broker, "g") == {}
        assert await stable(broker, 0, 1) == [(-1, E.UNSTABLE_OFFSET_COMMIT), (-1, 0)]
        assert codes_of(await broker.call(commit(("t", 1, 9)), version)) == [0]
        assert len(voucher.asked) == 1, "the transaction is open there"
        assert await written(broker, marker(OFFSETS)) == {(7, *OFFSETS): 0}
        assert await stable(broker, 0, 1) == [(5, 0), (9, 0)]
        assert codes_of(await broker.call(commit(("t", 1, 10)), version)) == [0]
        assert await written(broker, marker(OFFSETS, commit=False)) == {(7, *OFFSETS): 0}
        assert await stable(broker, 0, 1) == [(5, 0), (9, 0)]

    run(main())


@pytest.mark.parametrize(
    ("said", "by_version"),
    [
        (E.TRANSACTION_ABORTABLE, {3: E.INVALID_TXN_STATE, 4: E.TRANSACTION_ABORTABLE, 5: E.TRANSACTION_ABORTABLE}),
        (E.PRODUCER_FENCED, {5: E.INVALID_PRODUCER_EPOCH}),
        (E.CONCURRENT_TRANSACTIONS, {5: E.CONCURRENT_TRANSACTIONS}),
        (E.NETWORK_EXCEPTION, {1: E.COORDINATOR_NOT_AVAILABLE, 2: E.COORDINATOR_LOAD_IN_PROGRESS}),
    ],
)
def test_what_the_coordinator_says_as_each_version_knows_it(said: E, by_version: dict[int, E]) -> None:
    async def main() -> None:
        for version, code in by_version.items():
            broker, _ = vouched(said)
            assert codes_of(await broker.call(commit(("t", 0, 5)), version)) == [code]
            assert await stable(broker, 0) == [(-1, 0)]

    run(main())


def test_a_producer_of_the_past_is_fenced() -> None:
    async def main() -> None:
        broker, _ = vouched()
        await broker.call(commit(("t", 0, 5), epoch=3), 5)
        assert codes_of(await broker.call(commit(("t", 0, 6), epoch=2), 5)) == [E.INVALID_PRODUCER_EPOCH]

    run(main())


def test_its_batch_has_sequences_from_0_on() -> None:
    async def main() -> None:
        broker, _ = vouched()
        for offsets in (("t", 0, 5),), (("t", 0, 6), ("t", 1, 7)):
            assert set(codes_of(await broker.call(commit(*offsets), 5))) == {0}
            [known] = broker.partition(OFFSETS_TOPIC).producers.snapshot()
            assert known.last_sequence == len(offsets) - 1

    run(main())


def test_a_zombie_of_the_group_is_fenced() -> None:
    async def main() -> None:
        broker, _ = vouched()
        zombie = commit(("t", 0, 5), generation_id=3, member_id="m")
        assert codes_of(await broker.call(zombie, 3)) == [E.ILLEGAL_GENERATION]

    run(main())


def test_a_marker_before_the_slow_answer_makes_it_worthless() -> None:
    async def main() -> None:
        broker, voucher = vouched(slow=True)
        answer = asyncio.ensure_future(broker.call(commit(("t", 0, 5)), 5))
        await asyncio.sleep(1)
        assert await written(broker, marker(OFFSETS, commit=False, epoch=1)) == {(7, *OFFSETS): 0}
        voucher.answer()
        assert codes_of(await answer) == [E.INVALID_PRODUCER_EPOCH]
        answer = asyncio.ensure_future(broker.call(commit(("t", 0, 5), epoch=1), 5))
        await asyncio.sleep(0)
        voucher.answer()
        assert codes_of(await answer) == [0]

    run(main())


def test_pending_offsets_survive_a_restart_and_so_does_their_end() -> None:
    async def main() -> None:
        broker, _ = vouched()
        await broker.call(commit(("t", 0, 5), ("t", 1, 6)), 5)
        broker = await broker.restarted()
        await asyncio.sleep(0.1)
        assert await stable(broker, 0, 1) == [(-1, E.UNSTABLE_OFFSET_COMMIT)] * 2
        assert await written(broker, marker(OFFSETS)) == {(7, *OFFSETS): 0}
        broker = await broker.restarted()
        await asyncio.sleep(0.1)
        assert await stable(broker, 0, 1) == [(5, 0), (6, 0)]

    run(main())


def test_a_coordinator_that_is_loading_sends_the_marker_back() -> None:
    async def main() -> None:
        broker, _ = vouched()
        large = commit(("t", 0, 5))
        large.topics[0].partitions[0].committed_metadata = "x" * 4000
        for _ in range(2 * LOAD_STEP_BYTES // 4000):
            await broker.call(large, 5)
        broker = await broker.restarted()
        assert await written(broker, marker(OFFSETS)) == {(7, *OFFSETS): E.NOT_LEADER_OR_FOLLOWER}
        await asyncio.sleep(0.1)
        assert await written(broker, marker(OFFSETS)) == {(7, *OFFSETS): 0}

    run(main())


def test_no_group_no_commit() -> None:
    async def main() -> None:
        broker, voucher = vouched()
        assert codes_of(await broker.call(commit(("t", 0, 5), group=""), 5)) == [E.INVALID_GROUP_ID]
        assert not voucher.asked

    run(main())


def test_it_takes_three_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker, _ = vouched()
        for refused, code in (
            (("WRITE", "tx"), E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
            (("READ", "g"), E.GROUP_AUTHORIZATION_FAILED),
            (("READ", "t"), E.TOPIC_AUTHORIZATION_FAILED),
        ):
            deny(monkeypatch, refused)
            assert codes_of(await broker.call(commit(("t", 0, 5)), 5)) == [code]

    run(main())
