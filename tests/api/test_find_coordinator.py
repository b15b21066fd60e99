"""FindCoordinator: the offsets topic comes into being, and nobody waits a second for it."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.api import find_coordinator
from kafkawire.errors import ErrorCode
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, partition_for
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny


def test_the_first_one_waits_for_the_topic_and_gets_the_coordinator() -> None:
    async def main() -> None:
        broker = GroupBroker()
        first = await broker.call(find_coordinator.Request(key="g"), 0)
        assert (first.error_code, first.node_id, first.host, first.port) == (0, 1, "broker", 9092)
        assert len(broker.topics[OFFSETS_TOPIC].partitions) == 50
        # From now on the answer is at hand.
        assert broker.send(find_coordinator.Request(key="g"), 3).error_code == 0

    run(main())


@pytest.mark.parametrize("version", range(4))
def test_one_key(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=3)
        response = await broker.call(find_coordinator.Request(key="g"), version)
        assert (response.error_code, response.error_message, response.node_id) == (0, "NONE", 1)

    run(main())


@pytest.mark.parametrize("version", range(4, 7))
def test_many_keys(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=3)
        response = await broker.call(find_coordinator.Request(coordinator_keys=["a", "b", ""]), version)
        assert [(one.key, one.error_code, one.node_id) for one in response.coordinators] == [
            ("a", 0, 1),
            ("b", 0, 1),
            ("", 0, 1),
        ]
        assert (await broker.call(find_coordinator.Request(), version)).coordinators == []

    run(main())


def test_a_coordinator_elsewhere_and_none_at_all() -> None:
    async def main() -> None:
        broker = GroupBroker()
        broker.add(OFFSETS_TOPIC, 2, replicas=(2,), leader=2)
        found = await broker.call(find_coordinator.Request(key="g"), 3)
        assert (found.error_code, found.node_id, found.host, found.port) == (0, 2, "two", 9092)
        broker.add(OFFSETS_TOPIC, 2, replicas=(2,), leader=-1, epoch=1)
        none = await broker.call(find_coordinator.Request(key="g"), 3)
        assert (none.error_code, none.node_id, none.host, none.port) == (15, -1, "", -1)

    run(main())


@pytest.mark.parametrize(
    ("version", "key_type", "code"),
    [
        (3, 1, ErrorCode.NONE),
        (6, 1, ErrorCode.NONE),
        (4, 2, ErrorCode.INVALID_REQUEST),
        (5, 3, ErrorCode.INVALID_REQUEST),
        (6, 2, ErrorCode.INVALID_REQUEST),
    ],
)
def test_other_kinds_of_coordinators(version: int, key_type: int, code: ErrorCode) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        request = find_coordinator.Request(key_type=key_type)
        if version < 4:
            request.key = "x"
        else:
            request.coordinator_keys = ["x"]
        response = await broker.call(request, version)
        assert (response.error_code if version < 4 else response.coordinators[0].error_code) == code

    run(main())


def test_a_well_formed_share_key_has_no_coordinator_yet() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        request = find_coordinator.Request(key_type=2, coordinator_keys=["g:AAAAAAAAAAAAAAAAAAAAAA:0"])
        assert (await broker.call(request, 6)).coordinators[0].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE

    run(main())


def test_who_may_not_describe_a_group_learns_nothing_and_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, ("DESCRIBE", "g"), ("CLUSTER_ACTION", "kafka-cluster"))

    async def main() -> None:
        broker = GroupBroker()
        refused = await broker.call(find_coordinator.Request(key="g"), 3)
        assert refused.error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED and OFFSETS_TOPIC not in broker.topics
        share = await broker.call(find_coordinator.Request(key_type=2, coordinator_keys=["g:x:0"]), 6)
        assert share.coordinators[0].error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED

    run(main())


def test_many_that_come_first_together() -> None:
    async def main() -> None:
        broker = GroupBroker()
        answers = await asyncio.gather(*(broker.call(find_coordinator.Request(key=f"g{n}"), 3) for n in range(10)))
        assert {one.error_code for one in answers} == {0}
        assert partition_for("g1", 50) != partition_for("g2", 50)

    run(main())


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (f"g:{'A' * 22}:0", ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (f"g:{'A' * 22}:-1", ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (f"g:{'A' * 22}:x", ErrorCode.INVALID_REQUEST),
        (f":{'A' * 22}:0", ErrorCode.INVALID_REQUEST),
        ("g:x:0", ErrorCode.INVALID_REQUEST),
        ("a:b:c:d", ErrorCode.INVALID_REQUEST),
        ("g", ErrorCode.INVALID_REQUEST),
    ],
)
def test_the_key_of_a_share_is_looked_at(key: str, code: ErrorCode) -> None:
    async def main() -> None:
        asked = find_coordinator.Request(key_type=2, coordinator_keys=[key])
        (answer,) = (await GroupBroker(offsets=1).call(asked, 6)).coordinators
        assert answer.error_code == code

    run(main())
