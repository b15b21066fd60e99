"""SyncGroup over all versions."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.api import sync_group
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny, join, sync_request


@pytest.mark.parametrize("version", range(6))
def test_leader_and_follower(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        first = await join(broker)
        second_waits = asyncio.ensure_future(join(broker))
        await asyncio.sleep(0)
        await join(broker, member_id=first.member_id)
        second = await second_waits
        follower = asyncio.ensure_future(broker.call(sync_request("g", second.member_id, 2), version))
        await asyncio.sleep(0)
        leader = await broker.call(
            sync_request("g", first.member_id, 2, **{first.member_id: b"P0", second.member_id: b"P1"}), version
        )
        followed = await follower
        assert (leader.error_code, leader.assignment) == (0, b"P0")
        assert (followed.error_code, followed.assignment) == (0, b"P1")
        assert (followed.protocol_type, followed.protocol_name) == ("consumer", "range")

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        joined = await join(broker)

        async def code(request: sync_group.Request, version: int = 5) -> int:
            return int((await broker.call(request, version)).error_code)

        assert await code(sync_request("", "m", 1)) == ErrorCode.INVALID_GROUP_ID
        assert await code(sync_request("g", "m", 1)) == ErrorCode.UNKNOWN_MEMBER_ID
        assert await code(sync_request("other", "m", 1)) == ErrorCode.UNKNOWN_MEMBER_ID
        assert await code(sync_request("g", joined.member_id, 9)) == ErrorCode.ILLEGAL_GENERATION
        nameless = sync_request("g", joined.member_id, 1)
        nameless.protocol_name = None
        assert await code(nameless) == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        assert await code(sync_request("g", joined.member_id, 1), 4) == ErrorCode.NONE
        nameless.group_id = ""
        assert await code(nameless) == ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "looked at before the group id"
        deny(monkeypatch, ("READ", "g"))
        assert await code(sync_request("g", joined.member_id, 1)) == ErrorCode.GROUP_AUTHORIZATION_FAILED

    run(main())
