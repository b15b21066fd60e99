"""Heartbeat over all versions."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny, heartbeat_request, member


@pytest.mark.parametrize("version", range(5))
def test_alive(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        who, generation = await member(broker)
        assert (await broker.call(heartbeat_request("g", who, generation), version)).error_code == 0
        wrong = await broker.call(heartbeat_request("g", who, generation + 1), version)
        assert wrong.error_code == ErrorCode.ILLEGAL_GENERATION

    run(main())


def test_heartbeats_keep_a_session_and_without_them_it_ends() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)
        who, generation = await member(broker)
        for _ in range(5):
            await asyncio.sleep(9)
            assert (await broker.call(heartbeat_request("g", who, generation), 4)).error_code == 0
        await asyncio.sleep(11)
        gone = await broker.call(heartbeat_request("g", who, generation), 4)
        assert gone.error_code == ErrorCode.UNKNOWN_MEMBER_ID

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1)

        async def code(group: str, who: str, instance: str | None = None) -> int:
            return int((await broker.call(heartbeat_request(group, who, 0, instance), 4)).error_code)

        assert await code("", "m") == ErrorCode.INVALID_GROUP_ID
        assert await code("g", "m") == ErrorCode.UNKNOWN_MEMBER_ID
        await member(broker, instance="i")
        assert await code("g", "m", "i") == ErrorCode.FENCED_INSTANCE_ID
        deny(monkeypatch, ("READ", "g"))
        assert await code("g", "m") == ErrorCode.GROUP_AUTHORIZATION_FAILED

    run(main())
