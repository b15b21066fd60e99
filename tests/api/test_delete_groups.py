"""DeleteGroups: empty groups go with all their offsets."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.api import delete_groups, describe_groups
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import VirtualLoop, run
from tests.kit.members import commit_request, deny, leave_request, member, offsets_of


@pytest.mark.parametrize("version", range(3))
def test_empty_live_and_unknown(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=3, t=1)
        await broker.call(commit_request("simple", ("t", 0, 1)), 9)
        await member(broker, "alive")
        gone, _ = await member(broker, "left")
        await broker.call(leave_request("left", (gone, None)), 5)
        request = delete_groups.Request(groups_names=["simple", "alive", "left", "none", "left"])
        response = await broker.call(request, version)
        assert [(one.group_id, one.error_code) for one in response.results] == [
            ("simple", 0),
            ("alive", ErrorCode.NON_EMPTY_GROUP),
            ("left", 0),
            ("none", ErrorCode.GROUP_ID_NOT_FOUND),
        ]
        assert await offsets_of(broker, "simple") == {}
        described = await broker.call(describe_groups.Request(groups=["simple", "left"]), 6)
        assert [one.group_state for one in described.groups] == ["Dead", "Dead"]

    run(main())


def test_a_member_whose_session_is_over_keeps_no_group_though_the_loop_was_too_busy_to_notice() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        await member(broker, "g")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.now += 3600
        (gone,) = (await broker.call(delete_groups.Request(groups_names=["g"]), 2)).results
        assert gone.error_code == ErrorCode.NONE

    run(main())


def test_deleted_groups_stay_deleted() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        await broker.call(commit_request("g", ("t", 0, 1)), 9)
        await broker.call(delete_groups.Request(groups_names=["g"]), 2)
        broker = await broker.restarted()
        (group,) = (await broker.call(describe_groups.Request(groups=["g"]), 6)).groups
        assert group.error_code == ErrorCode.GROUP_ID_NOT_FOUND

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        (away,) = (await GroupBroker().call(delete_groups.Request(groups_names=["g"]), 2)).results
        assert away.error_code == ErrorCode.NOT_COORDINATOR
        deny(monkeypatch, ("DELETE", "g"))
        (refused,) = (await GroupBroker(offsets=1).call(delete_groups.Request(groups_names=["g"]), 2)).results
        assert refused.error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED

    run(main())
