"""Error codes: complete, as others number them, each with a sentence; shared defaults can't be spoilt."""

from __future__ import annotations

import pytest
from kio.schema.errors import ErrorCode as KioErrorCode

from kafkawire.api import fetch, metadata
from kafkawire.errors import ErrorCode

# Where kio's list differs in name or verdict from Kafka 4.3's, which is ours.
_RETRIABLE_IN_KAFKA: dict[str, bool] = {}


def test_codes_are_kios() -> None:
    theirs = {code.value: code.name.upper() for code in KioErrorCode}
    ours = {code.value: code.name for code in ErrorCode}
    assert {value: ours[value] for value in theirs} == theirs
    assert sorted(ours) == list(range(-1, len(ours) - 1))


def test_retriable_is_kios() -> None:
    for code in KioErrorCode:
        wanted = _RETRIABLE_IN_KAFKA.get(code.name.upper(), code.retriable)
        assert ErrorCode(code.value).retriable == wanted, code.name


def test_each_says_a_sentence_of_its_own() -> None:
    sentences = [code.message for code in ErrorCode]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


def test_codes_are_plain_numbers_on_the_wire() -> None:
    assert int(ErrorCode.UNSUPPORTED_VERSION) == 35
    assert ErrorCode(35) is ErrorCode.UNSUPPORTED_VERSION


def test_shared_defaults_refuse_to_be_changed() -> None:
    partition = fetch.PartitionData()
    with pytest.raises(AttributeError, match="assign a struct of your own"):
        partition.current_leader.leader_id = 3
    assert fetch.PartitionData().current_leader == fetch.LeaderIdAndEpoch()


def test_constructors_take_keywords_and_make_fresh_lists() -> None:
    one, two = metadata.ResponseTopic(name="a"), metadata.ResponseTopic(name="a")
    assert one == two
    assert one.partitions is not two.partitions
    assert one != metadata.ResponseTopic(name="b")
    assert "name='a'" in repr(one)
    with pytest.raises(TypeError):
        metadata.ResponseTopic(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        one.nonsense = 1  # type: ignore[attr-defined]
