"""ListGroups: all groups of all shards, and the filters."""

from __future__ import annotations

import pytest

from kafkawire.api import list_groups
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import commit_request, deny, member


async def with_groups() -> GroupBroker:
    broker = GroupBroker(offsets=5, t=1)
    await broker.call(commit_request("simple", ("t", 0, 1)), 9)
    await member(broker, "alive")
    await member(broker, "connect", protocol_type="connect")
    return broker


def rows(response: list_groups.Response) -> list[tuple[str, str, str, str]]:
    return sorted((one.group_id, one.protocol_type, one.group_state, one.group_type) for one in response.groups)


ALIVE = ("alive", "consumer", "Stable", "classic")
SIMPLE = ("simple", "", "Empty", "classic")
CONNECT = ("connect", "connect", "Stable", "classic")


@pytest.mark.parametrize("version", range(6))
def test_all(version: int) -> None:
    async def main() -> None:
        broker = await with_groups()
        assert rows(await broker.call(list_groups.Request(), version)) == [ALIVE, CONNECT, SIMPLE]

    run(main())


@pytest.mark.parametrize(
    ("states", "types", "expected"),
    [
        (["empty"], [], [SIMPLE]),
        (["STABLE"], ["Classic"], [ALIVE, CONNECT]),
        (["Empty", "Stable"], [], [ALIVE, CONNECT, SIMPLE]),
        (["PreparingRebalance"], [], []),
        ([], ["consumer"], []),
        (["nonsense"], ["nonsense"], []),
    ],
)
def test_filters(states: list[str], types: list[str], expected: list[tuple[str, str, str, str]]) -> None:
    async def main() -> None:
        broker = await with_groups()
        request = list_groups.Request(states_filter=states, types_filter=types)
        assert rows(await broker.call(request, 5)) == expected

    run(main())


def test_who_may_not_see_the_cluster_sees_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_groups()
        deny(monkeypatch, ("DESCRIBE", "kafka-cluster"), ("DESCRIBE", "alive"))
        assert rows(await broker.call(list_groups.Request(), 5)) == [CONNECT, SIMPLE]

    run(main())
