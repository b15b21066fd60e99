"""WriteTxnMarkers: the ends of transactions, partition by partition."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire import codec
from kafkawire.api import write_txn_markers as api
from kafkawire.errors import ErrorCode
from tests.kit.broker import records_of
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny

E = ErrorCode


def marker(*partitions: tuple[str, int], producer: int = 7, epoch: int = 0, commit: bool = True, **more: Any) -> Any:
    topics: dict[str, list[int]] = {}
    for name, index in partitions:
        topics.setdefault(name, []).append(index)
    return api.WritableTxnMarker(
        producer_id=producer,
        producer_epoch=epoch,
        transaction_result=commit,
        topics=[api.WritableTxnMarkerTopic(name=name, partition_indexes=found) for name, found in topics.items()],
        **more,
    )


async def written(broker: GroupBroker, *markers: Any, version: int = 2) -> dict[tuple[int, str, int], int]:
    response = await broker.call(api.Request(markers=list(markers)), version)
    assert codec.encode(response, version)
    return {
        (one.producer_id, topic.name, partition.partition_index): partition.error_code
        for one in response.markers
        for topic in one.topics
        for partition in topic.partitions
    }


@pytest.mark.parametrize("version", [1, 2])
def test_each_partition_has_its_own_answer(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(t=2)
        broker.write_in_transaction("t", b"a", producer=(7, 0, 0))
        asked = marker(("t", 0), ("t", 1), ("t", 2), ("nowhere", 0), commit=False)
        assert await written(broker, asked, version=version) == {
            (7, "t", 0): 0,
            (7, "t", 1): 0,  # nothing was open there: a marker is written all the same
            (7, "t", 2): E.UNKNOWN_TOPIC_OR_PARTITION,
            (7, "nowhere", 0): E.UNKNOWN_TOPIC_OR_PARTITION,
        }
        partition = broker.partition("t")
        assert (partition.last_stable_offset, partition.log.end_offset) == (2, 2)
        piece = partition.read(1, 1 << 20, 2, True)
        assert records_of(piece) == [(1, b"\0\0" + bytes(4))]
        assert broker.partition("t", 1).log.end_offset == 1

    run(main())


def test_epochs_are_judged_by_the_transaction_version() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        broker.write_in_transaction("t", b"a", producer=(7, 5, 0))
        old = marker(("t", 0), epoch=4)
        assert await written(broker, old) == {(7, "t", 0): E.INVALID_PRODUCER_EPOCH}
        same = marker(("t", 0), epoch=5, transaction_version=2)
        assert await written(broker, same) == {(7, "t", 0): E.INVALID_PRODUCER_EPOCH}
        assert await written(broker, marker(("t", 0), epoch=6, transaction_version=2, coordinator_epoch=3)) == {
            (7, "t", 0): 0
        }
        assert await written(broker, marker(("t", 0), epoch=7, coordinator_epoch=2)) == {
            (7, "t", 0): E.TRANSACTION_COORDINATOR_FENCED
        }

    run(main())


def test_the_answer_waits_for_the_replicas() -> None:
    async def main() -> None:
        broker = GroupBroker()
        broker.add("t", replicas=(1, 2))
        answer = asyncio.ensure_future(written(broker, marker(("t", 0))))
        await asyncio.sleep(1)
        assert not answer.done()
        broker.partition("t").replica_asks(2, -1, 1, 0, 0)
        assert await answer == {(7, "t", 0): 0}

    run(main())


def test_no_answer_is_owed_to_nothing() -> None:
    async def main() -> None:
        assert (await GroupBroker().call(api.Request(markers=[]), 2)).markers == []

    run(main())


def test_it_needs_a_right_on_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        deny(monkeypatch, ("ALTER", "kafka-cluster"))
        assert await written(broker, marker(("t", 0))) == {(7, "t", 0): 0}, "CLUSTER_ACTION is enough"
        deny(monkeypatch, ("ALTER", "kafka-cluster"), ("CLUSTER_ACTION", "kafka-cluster"))
        assert await written(broker, marker(("t", 0))) == {(7, "t", 0): E.CLUSTER_AUTHORIZATION_FAILED}
        assert broker.partition("t").log.end_offset == 1

    run(main())


@pytest.mark.parametrize("nobodys", [{"producer": -1}, {"epoch": -1}])
def test_nobodys_marker_refuses_the_request_as_kafka_stumbles_over_it(nobodys: dict[str, int]) -> None:
    async def main() -> None:
        broker = GroupBroker(t=2)
        wrong = marker(("t", 1), ("t", 2), **({"producer": 8} | nobodys))
        asked = marker(("t", 0)), wrong, marker(("t", 0), producer=9)
        assert set((await written(broker, *asked)).values()) == {E.UNKNOWN_SERVER_ERROR}
        assert [broker.partition("t", index).log.end_offset for index in (0, 1)] == [1, 0], "the first was written"
        other = marker(("t", 1), **({"producer": 8} | dict.fromkeys(nobodys, -2)))
        assert E.UNKNOWN_SERVER_ERROR not in (await written(broker, other)).values(), "only -1 is nobody"
        nowhere = marker(("t", 2), **({"producer": 8} | nobodys))
        assert set((await written(broker, nowhere)).values()) == {E.UNKNOWN_TOPIC_OR_PARTITION}

    run(main())


def test_a_marker_of_no_transaction_version() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        asked = marker(("t", 0), ("t", 1), transaction_version=-1)
        assert await written(broker, asked) == {
            (7, "t", 0): E.UNKNOWN_SERVER_ERROR,
            (7, "t", 1): E.UNKNOWN_TOPIC_OR_PARTITION,
        }
        assert broker.partition("t").log.end_offset == 0

    run(main())
