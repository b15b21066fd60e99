"""A broker's picture of the cluster and its place in it: registering, coming back, losing the lease, the controller."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.cluster.image import ClusterImage
from pykafkad.cluster.store import StoreUnavailable
from pykafkad.config import Config
from pykafkad.errors import ConfigError
from pykafkad.logs import log
from pykafkad.runtime.metadata import new_uuid
from pykafkad.runtime.topic_rules import NewTopic
from tests.kit.control import CLUSTER_ID, Control, play
from tests.kit.loop import run


def broker(folder: Path, node_id: int) -> Control:
    return Control(folder, Config.load({"node.id": str(node_id)}))


def test_the_first_broker_founds_the_cluster_and_leads_it(tmp_path: Path) -> None:
    async def scenario(one: Control) -> None:
        assert (one.image.cluster_id, one.image.controller_id) == (CLUSTER_ID, 1)
        assert one.image.brokers[1].endpoints == {"PLAINTEXT": ("", 9092)}
        assert one.image.brokers[1].epoch == one.image.revision

    play(tmp_path, scenario)


def test_subscribers_see_every_image_in_order(tmp_path: Path) -> None:
    async def scenario(one: Control) -> None:
        seen: list[tuple[ClusterImage, ClusterImage]] = []
        one.metadata.subscribe(lambda old, new: seen.append((old, new)))
        first = one.image
        await one.admin.create_topics([NewTopic("a")])
        await one.admin.create_topics([NewTopic("b")])
        assert [old for old, _ in seen] == [first, seen[0][1]] and one.image is seen[-1][1]
        assert sorted(one.image.topics) == ["a", "b"]

    play(tmp_path, scenario)


def test_what_one_broker_does_the_other_sees(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = await broker(tmp_path, 1).start(), await broker(tmp_path, 2).start()
        await one.metadata.reached(two.image.revision)
        assert sorted(one.image.brokers) == sorted(two.image.brokers) == [1, 2]
        await one.admin.create_topics([NewTopic("a", 2, 2)])
        await two.metadata.reached(one.image.revision)
        assert two.image.topics == one.image.topics
        assert one.image.controller_id == two.image.controller_id == 1
        await one.stop()
        await two.metadata.newer_than(two.image.revision)
        assert sorted(two.image.brokers) == [2]
        while two.image.controller_id != 2:
            await two.metadata.newer_than(two.image.revision)
        await two.stop()

    run(main())


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        one = await broker(tmp_path, 1).start()
        await one.admin.create_topics([NewTopic("a", 2)])
        topics = one.image.topics
        await one.stop()
        again = await broker(tmp_path, 1).start()
        assert again.image.topics == topics and again.image.cluster_id == CLUSTER_ID
        await again.stop()

    run(main())


def test_a_file_that_contradicts_the_clusters_min_insync_replicas_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log, "warning", lambda event, **_: lines.append(event))

    async def main() -> None:
        for said, warned in (("2", False), ("2", False), ("1", True)):
            one = await Control(tmp_path, Config.load({"node.id": "1", "min.insync.replicas": said})).start()
            assert one.metadata.config.min_insync_replicas == 2
            await one.stop()
            assert any("min.insync.replicas of the file" in line for line in lines) == warned

    run(main())


def test_after_a_crash_a_broker_comes_back_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        crashed = await broker(tmp_path, 1).start()
        begun = asyncio.get_running_loop().time()
        again = await broker(tmp_path, 1).start()
        assert asyncio.get_running_loop().time() == begun
        assert (again.image.controller_id, sorted(again.image.brokers)) == (1, [1])
        assert again.image.brokers[1].epoch > crashed.image.brokers[1].epoch
        crashed.metadata._keeping.cancel()  # type: ignore[union-attr]
        await asyncio.sleep(60)  # the dead process's lease ends; nothing of the living one goes with it
        assert (again.image.controller_id, sorted(again.image.brokers)) == (1, [1])
        await again.stop()
        await crashed.stop()

    run(main())


def test_two_processes_cannot_be_one_broker(tmp_path: Path) -> None:
    async def main() -> None:
        one, other = await broker(tmp_path, 1).start(), broker(tmp_path, 1)
        with pytest.raises(ConfigError, match=r"node\.id 1 is taken"):
            await other.start(directory="another")
        await other.stop()
        await one.stop()

    run(main())


def test_an_id_is_free_when_the_lease_has_ended(tmp_path: Path) -> None:
    async def main() -> None:
        crashed = await broker(tmp_path, 1).start()
        crashed.metadata._keeping.cancel()  # type: ignore[union-attr]
        await crashed.store.close()
        await asyncio.sleep(60)
        again = await broker(tmp_path, 1).start(directory="another")
        assert again.image.brokers[1].directory == "another"
        await again.stop()

    run(main())


def test_a_broker_that_lost_its_lease_registers_again(tmp_path: Path) -> None:
    async def scenario(one: Control) -> None:
        epoch = one.image.brokers[1].epoch
        await one.store.revoke(one.metadata.lease)
        assert not one.image.brokers and one.image.controller_id == -1
        while 1 not in one.image.brokers or one.image.controller_id == -1:
            await one.metadata.newer_than(one.image.revision)
        assert one.image.brokers[1].epoch > epoch

    play(tmp_path, scenario)


def test_a_store_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "cluster.sqlite").write_bytes(b"not a database at all" * 50)
        with pytest.raises(ConfigError, match=r"cluster\.store: .*cluster\.sqlite"):
            await broker(tmp_path, 1).start()

    run(main())


def test_uuids() -> None:
    made = {new_uuid() for _ in range(100)}
    assert len(made) == 100 and all(len(one) == 16 for one in made)


def test_a_store_that_does_not_answer_is_told_of_once_and_once_when_it_does_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(log, "warning", lambda event, **fields: said.append(event))
    monkeypatch.setattr(log, "info", lambda event, **fields: said.append(event))

    async def scenario(one: Control) -> None:
        async def refuses(*arguments: object) -> None:
            raise StoreUnavailable("database or disk is full")

        for _ in range(2):
            with monkeypatch.context() as full:
                full.setattr(one.store, "renew", refuses)
                full.setattr(one.store, "commit", refuses)
                await asyncio.sleep(7)  # several beats, and the registration lasts longer
                created = await one.admin.create_topics([NewTopic("a")])
                assert getattr(created["a"], "code", None) == ErrorCode.REQUEST_TIMED_OUT
            await asyncio.sleep(60)
        assert said == ["the cluster store does not answer", "the cluster store answers again"] * 2

    play(tmp_path, scenario)
