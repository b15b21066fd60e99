"""A group's whole life through the handlers, over a real partition on a memory disk."""

from __future__ import annotations

from kafkawire.api import find_coordinator, join_group, offset_commit, offset_fetch, sync_group
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run


def test_from_find_coordinator_to_a_restart() -> None:
    async def main() -> None:
        broker = GroupBroker(t=2)
        found = await broker.call(find_coordinator.Request(coordinator_keys=["g"]), 4)
        (coordinator,) = found.coordinators
        assert coordinator.error_code == 0 and coordinator.node_id == 1
        assert (coordinator.host, coordinator.port) == ("broker", 9092)

        protocols = [join_group.RequestProtocol(name="range", metadata=b"M")]
        join = join_group.Request(
            group_id="g", session_timeout_ms=10000, rebalance_timeout_ms=20000, protocol_type="consumer"
        )
        join.protocols = protocols
        sent_away = await broker.call(join, 9)
        assert sent_away.error_code == ErrorCode.MEMBER_ID_REQUIRED and sent_away.member_id == "test-id1"
        join.member_id = sent_away.member_id
        joined = await broker.call(join, 9)
        assert (joined.error_code, joined.generation_id, joined.leader) == (0, 1, "test-id1")
        assert [(m.member_id, bytes(m.metadata)) for m in joined.members] == [("test-id1", b"M")]

        synced = await broker.call(
            sync_group.Request(
                group_id="g",
                generation_id=1,
                member_id="test-id1",
                protocol_type="consumer",
                protocol_name="range",
                assignments=[sync_group.RequestAssignment(member_id="test-id1", assignment=b"P")],
            ),
            5,
        )
        assert (synced.error_code, synced.assignment) == (0, b"P")

        commit = offset_commit.Request(
            group_id="g",
            member_id="test-id1",
            generation_id_or_member_epoch=1,
            topics=[
                offset_commit.RequestTopic(
                    name="t",
                    partitions=[
                        offset_commit.RequestPartition(partition_index=0, committed_offset=5),
                        offset_commit.RequestPartition(partition_index=7, committed_offset=5),
                    ],
                ),
            ],
        )
        committed = await broker.call(commit, 9)
        codes = {one.partition_index: one.error_code for one in committed.topics[0].partitions}
        assert codes == {0: 0, 7: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}

        broker = await broker.restarted()
        fetch = offset_fetch.Request(groups=[offset_fetch.RequestGroup(group_id="g", topics=None)])
        fetched = await broker.call(fetch, 9)
        (topic,) = fetched.groups[0].topics
        assert topic.name == "t" and [one.committed_offset for one in topic.partitions] == [5]
        commit.topics[0].partitions[0].committed_offset = 6
        (_, good) = (await broker.call(commit, 9)).topics[0].partitions
        assert good.error_code == 0

    run(main())
