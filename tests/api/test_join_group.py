"""JoinGroup over all versions; what the group decides is in tests/scripts/groups."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire import codec
from kafkawire.api import join_group
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny, heartbeat_request, join, join_request, member


@pytest.mark.parametrize("version", range(10))
def test_alone(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        joined = await join(broker, version=version)
        if version >= 4:
            assert joined.error_code == ErrorCode.MEMBER_ID_REQUIRED
            assert joined.protocol_name == ("" if version < 7 else None)
            joined = await join(broker, member_id=joined.member_id, version=version)
        assert (joined.error_code, joined.generation_id, joined.member_id) == (0, 1, "test-id1")
        assert joined.leader == joined.member_id and joined.protocol_name == "range"
        assert [(one.member_id, one.metadata) for one in joined.members] == [("test-id1", b"M")]
        assert codec.encode(joined, version)

    run(main())


def test_static_members_are_called_by_their_instance() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        joined = await join(broker, version=9, instance="i")
        assert joined.member_id == "i-id1" and joined.members[0].group_instance_id == "i"

    run(main())


def test_without_a_rebalance_timeout_the_session_timeout_counts() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        first = await join(broker, version=0)
        waiting = asyncio.ensure_future(join(broker, version=0))
        second = await waiting  # the first one never comes back: dropped after its 10 s, not after 30
        assert 10 <= broker.loop.time() <= 11 and first.member_id != second.member_id
        assert second.generation_id == 2

    run(main())


def test_two_wait_for_each_other() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        first, generation = await member(broker)
        second = asyncio.ensure_future(join(broker))
        await asyncio.sleep(0)
        beat = await broker.call(heartbeat_request("g", first, generation), 4)
        assert beat.error_code == ErrorCode.REBALANCE_IN_PROGRESS
        again = await join(broker, member_id=first, version=9)
        joined = await second
        assert again.generation_id == joined.generation_id == 2
        assert joined.members == [] and len(again.members) == 2

    run(main())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (join_request(""), ErrorCode.INVALID_GROUP_ID),
        (join_request(session_ms=5999), ErrorCode.INVALID_SESSION_TIMEOUT),
        (join_request(member_id="ghost"), ErrorCode.UNKNOWN_MEMBER_ID),
        (join_request(protocols=()), ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
@pytest.mark.parametrize("version", [5, 9])
def test_refusals(request_: join_group.Request, code: ErrorCode, version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        response = await broker.call(request_, version)
        assert (response.error_code, response.generation_id, response.leader) == (code, -1, "")
        assert response.member_id == request_.member_id
        assert response.protocol_name == ("" if version < 7 else None)
        assert codec.encode(response, version)

    run(main())


def test_not_allowed_and_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        assert (await join(GroupBroker())).error_code == ErrorCode.NOT_COORDINATOR
        deny(monkeypatch, ("READ", "g"))
        assert (await join(GroupBroker(offsets=1))).error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED

    run(main())


def test_members_say_where_they_are() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        await member(broker)
        (shard,) = broker.groups.shards()
        (stored,) = shard.machine.stored["g"].members
        assert (stored.client_id, stored.client_host) == ("test", "/client")

    run(main())
