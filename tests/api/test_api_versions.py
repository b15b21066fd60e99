"""ApiVersions: what is promised is what is served."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kafkawire.api import api_versions
from kafkawire.codec import decode, encode
from kafkawire.errors import ErrorCode
from pykafkad import api
from pykafkad.api.api_versions import handle, unsupported
from pykafkad.api.call import Call, Peer
from pykafkad.cluster.image import ClusterImage

IMAGE = ClusterImage(revision=41, features={"metadata.version": 30, "unheard.of": 3, "group.version": 0})


def ask(version: int, name: str = "apache-kafka-java", software: str = "4.3.1") -> api_versions.Response:
    node: Any = SimpleNamespace(image=IMAGE)
    call = Call(node, Peer(("192.0.2.1", 1), ("192.0.2.2", 9092), "PLAINTEXT", "User:ANONYMOUS"), 18, version, "c", 0)
    request = api_versions.Request(client_software_name=name, client_software_version=software)
    response = handle(call, request)
    return decode(api_versions.Response, version, b"".join(map(bytes, encode(response, version))))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", range(5))
def test_every_served_api_is_listed_with_its_range(version: int) -> None:
    response = ask(version)
    assert response.error_code == 0
    listed = {one.api_key: (one.min_version, one.max_version) for one in response.api_keys}
    served = {key: (one.min_version, one.max_version) for key, one in api.RANGES.items()}
    assert list(listed) == sorted(listed)
    assert listed.pop(0) == (0, served.pop(0)[1]), "Produce is listed from 0 for the sake of old librdkafka"
    assert listed == served


def test_features_come_with_version_3() -> None:
    assert ask(2).supported_features == [] and ask(2).finalized_features == []
    response = ask(3)
    assert [one.name for one in response.supported_features] == ["metadata.version"]
    assert [(one.name, one.min_version_level, one.max_version_level) for one in response.finalized_features] == [
        ("metadata.version", 30, 30)
    ]
    assert response.finalized_features_epoch == 41


@pytest.mark.parametrize("name", ["", "-java", "java-", "a b", "née", "a" * 10 + "\n"])
def test_software_names_are_checked_from_version_3(name: str) -> None:
    assert ask(2, name).error_code == 0
    for wrong in (ask(3, name), ask(4, software=name)):
        assert wrong.error_code == ErrorCode.INVALID_REQUEST and wrong.api_keys == []


@pytest.mark.parametrize("name", ["a", "apache-kafka-java", "librdkafka", "v2.3.0-dirty"])
def test_usual_software_names_pass(name: str) -> None:
    assert ask(4, name, name).error_code == 0


def test_an_unknown_version_is_told_the_known_ones() -> None:
    response = unsupported()
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [(one.api_key, one.min_version, one.max_version) for one in response.api_keys] == [(18, 0, 4)]
