"""Images follow the store: the next one from the last one is the one that the whole store gives."""

from __future__ import annotations

from pykafkad.cluster import keys
from pykafkad.cluster.image import TOPIC, ClusterImage, PartitionImage, TopicImage, is_internal
from pykafkad.cluster.picture import apply, from_entries
from pykafkad.cluster.store import Changes, Entry

ID_A, ID_B = bytes(15) + b"a", bytes(15) + b"b"


def changes(revision: int, puts: dict[str, bytes], deletes: tuple[str, ...] = ()) -> Changes:
    return Changes(revision, {key: Entry(value, revision) for key, value in puts.items()}, deletes)


def image_of(*steps: Changes) -> ClusterImage:
    image = ClusterImage()
    for step in steps:
        image = apply(image, step)
    return image


A = {keys.topic("a"): keys.write_topic("a", ID_A, [(1, 2), (2, 1)])}
B = {keys.topic("b.x"): keys.write_topic("b.x", ID_B, [(1,)])}


def test_a_new_topic_is_led_by_its_first_replicas() -> None:
    image = image_of(changes(1, A))
    assert image.topic("a") == TopicImage(
        "a", ID_A, (PartitionImage((1, 2), (1, 2), 1, 0, 0), PartitionImage((2, 1), (2, 1), 2, 0, 0))
    )
    assert image.topic_by_id(ID_A) is image.topic("a")
    assert (image.revision, image.revisions) == (1, {keys.topic("a"): 1})


def test_what_did_not_change_is_the_same_object() -> None:
    one = image_of(changes(1, A))
    two = apply(one, changes(2, B))
    assert two.topic("a") is one.topic("a")
    assert one.topic("b.x") is None and two.topic("b.x") is not None


def test_a_partition_changes_alone() -> None:
    state = PartitionImage((2, 1), (2,), 2, 5, 7)
    image = image_of(changes(1, A), changes(2, {keys.partition(ID_A, 1): keys.write_partition(state)}))
    assert image.topics["a"].partitions == (PartitionImage((1, 2), (1, 2), 1, 0, 0), state)


def test_the_order_of_keys_does_not_matter() -> None:
    state = PartitionImage((2, 1), (2,), 2, 5, 7)
    puts = {keys.partition(ID_A, 1): keys.write_partition(state), **A}
    assert image_of(changes(1, puts)).topics["a"].partitions[1] == state


def test_a_topic_that_grows_keeps_the_state_of_its_partitions() -> None:
    state = PartitionImage((2, 1), (2,), 2, 5, 7)
    grown = {keys.topic("a"): keys.write_topic("a", ID_A, [(1, 2), (2, 1), (1, 2)])}
    steps = [changes(1, A), changes(2, {keys.partition(ID_A, 1): keys.write_partition(state)}), changes(3, grown)]
    partitions = image_of(*steps).topics["a"].partitions
    assert partitions[1] == state and len(partitions) == 3


def test_a_topic_goes_with_its_id() -> None:
    image = image_of(changes(1, {**A, **B}), changes(2, {}, (keys.topic("b.x"),)))
    assert list(image.topics) == ["a"] and image.topic_by_id(ID_B) is None
    assert keys.topic("b.x") not in image.revisions


def test_a_topic_made_again_under_one_name_has_its_new_id_only() -> None:
    again = {keys.topic("a"): keys.write_topic("a", ID_B, [(1,)])}
    image = image_of(changes(1, A), changes(2, again))
    assert image.topic_by_id(ID_A) is None and image.topic_by_id(ID_B) is image.topic("a")


def test_a_topic_made_again_with_dots_takes_the_others_place() -> None:
    other = {keys.topic("b_x"): keys.write_topic("b_x", ID_A, [(1,)])}
    image = image_of(changes(1, B), changes(2, other))
    assert list(image.topics) == ["b_x"] and image.topic_by_id(ID_B) is None


def test_configs_brokers_controller_and_cluster_id() -> None:
    puts = {
        keys.config(TOPIC, "a"): keys.write({"retention.ms": "5"}),
        keys.broker(3): keys.write_broker({"PLAINTEXT": ("h", 9092)}, "r", "dir"),
        keys.CONTROLLER: keys.write({"broker": 3}),
        keys.CLUSTER: keys.write({"id": "c"}),
        keys.FEATURES: keys.write({"group.version": 1}),
    }
    image = image_of(changes(4, puts))
    assert image.config(TOPIC, "a") == {"retention.ms": "5"} and image.config(TOPIC, "b") == {}
    assert (image.brokers[3].epoch, image.brokers[3].endpoints) == (4, {"PLAINTEXT": ("h", 9092)})
    assert (image.controller_id, image.cluster_id, image.features) == (3, "c", {"group.version": 1})
    assert image.alive(3) and not image.alive(4)
    gone = apply(image, changes(5, {}, tuple(puts)))
    assert (gone.controller_id, dict(gone.brokers), dict(gone.configs), gone.features) == (-1, {}, {}, {})


def test_a_whole_store_replaces_the_picture() -> None:
    whole = Changes(9, {key: Entry(value, 8) for key, value in B.items()}, (), whole=True)
    image = image_of(changes(1, A), whole)
    assert list(image.topics) == ["b.x"] and image.revision == 9
    assert from_entries(9, whole.puts).topics == image.topics


def test_internal_topics() -> None:
    assert is_internal("__consumer_offsets") and is_internal("__transaction_state") and not is_internal("__mine")
