"""DescribeGroups over all versions."""

from __future__ import annotations

import pytest

from kafkawire import codec
from kafkawire.api import describe_groups
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import commit_request, deny, join, member


@pytest.mark.parametrize("version", range(7))
def test_a_stable_group_an_empty_one_and_none(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=2, t=1)
        who, _ = await member(broker, "g", instance="i")
        await broker.call(commit_request("simple", ("t", 0, 1)), 9)
        request = describe_groups.Request(groups=["g", "simple", "none"], include_authorized_operations=version >= 3)
        response = await broker.call(request, version)
        stable, simple, none = response.groups
        assert (stable.group_state, stable.protocol_type, stable.protocol_data) == ("Stable", "consumer", "range")
        (one,) = stable.members
        assert (one.member_id, one.group_instance_id) == (who, "i")
        assert (one.client_id, one.client_host) == ("test", "/client")
        assert (one.member_metadata, one.member_assignment) == (b"M", b"P")
        assert stable.authorized_operations == (3400 if version >= 3 else -2147483648)
        assert (simple.error_code, simple.group_state, simple.protocol_type) == (0, "Empty", "")
        assert none.group_state == "Dead"
        if version >= 6:
            assert none.error_code == ErrorCode.GROUP_ID_NOT_FOUND and none.error_message == "Group none not found."
            assert none.authorized_operations == -2147483648
        else:
            assert none.error_code == 0
        assert codec.encode(response, version)

    run(main())


def test_while_rebalancing_metadata_is_not_shown() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        await join(broker)
        (group,) = (await broker.call(describe_groups.Request(groups=["g"]), 6)).groups
        assert (group.group_state, group.protocol_data) == ("CompletingRebalance", "")
        assert group.members[0].member_metadata == b""

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        (away,) = (await GroupBroker().call(describe_groups.Request(groups=["g"]), 6)).groups
        assert away.error_code == ErrorCode.NOT_COORDINATOR
        deny(monkeypatch, ("DESCRIBE", "g"))
        request = describe_groups.Request(groups=["g", "h"])
        refused, other = (await GroupBroker(offsets=1).call(request, 5)).groups
        assert (refused.error_code, other.error_code) == (ErrorCode.GROUP_AUTHORIZATION_FAILED, 0)

    run(main())
