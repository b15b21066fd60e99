"""LeaveGroup: one member below version 3, many from there on."""

from __future__ import annotations

import pytest

from kafkawire.api import leave_group
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny, leave_request, member


@pytest.mark.parametrize("version", range(3))
def test_one_member(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        who, _ = await member(broker)
        nobody = await broker.call(leave_group.Request(group_id="g", member_id="x"), version)
        assert nobody.error_code == ErrorCode.UNKNOWN_MEMBER_ID
        left = await broker.call(leave_group.Request(group_id="g", member_id=who), version)
        assert (left.error_code, left.members) == (0, [])

    run(main())


@pytest.mark.parametrize("version", range(3, 6))
def test_a_batch(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        who, _ = await member(broker, instance="i")
        response = await broker.call(leave_request("g", ("x", None), ("", "j"), (who, "j"), ("", "i")), version)
        assert response.error_code == 0
        assert [(one.member_id, one.group_instance_id, one.error_code) for one in response.members] == [
            ("x", None, ErrorCode.UNKNOWN_MEMBER_ID),
            ("", "j", ErrorCode.UNKNOWN_MEMBER_ID),
            (who, "j", ErrorCode.UNKNOWN_MEMBER_ID),
            ("", "i", 0),
        ]

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        unknown = await broker.call(leave_request("nowhere", ("m", None)), 5)
        assert (unknown.error_code, unknown.members[0].error_code) == (0, ErrorCode.UNKNOWN_MEMBER_ID)
        assert (await broker.call(leave_request("", ("m", None)), 5)).error_code == ErrorCode.INVALID_GROUP_ID
        deny(monkeypatch, ("READ", "g"))
        refused = await broker.call(leave_request("g", ("m", None)), 5)
        assert (refused.error_code, refused.members) == (ErrorCode.GROUP_AUTHORIZATION_FAILED, [])

    run(main())
