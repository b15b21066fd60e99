"""Compiled codecs against the slow obvious one, in every version of every API and of every stored message."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kafkawire import codec
from kafkawire.errors import EncodeError, WireError
from tests.kit import obvious
from tests.kit.strategies import messages, sample
from tests.wire.classes import CLASSES, Kind


def joined(message: Any, version: int) -> bytes:
    return b"".join(bytes(piece) for piece in codec.encode(message, version))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_compiled_and_obvious_agree_on_samples(kind: Kind) -> None:
    for version in kind.versions:
        random = Random(zlib.crc32(f"{kind} {version}".encode()))
        for _ in range(6):
            message = sample(kind.cls, version, random)
            data = obvious.encode(message, version)
            assert joined(message, version) == data, version
            assert codec.decode(kind.cls, version, data) == message == obvious.decode(kind.cls, version, data), version
        empty = kind.cls()
        assert joined(empty, version) == obvious.encode(empty, version)
        assert codec.decode(kind.cls, version, joined(empty, version)) == empty


@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_compiled_and_obvious_agree_on_anything(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(CLASSES))
    version = data.draw(st.sampled_from(list(kind.versions)))
    message = data.draw(messages(kind.cls, version))
    encoded = obvious.encode(message, version)
    assert joined(message, version) == encoded
    assert codec.decode(kind.cls, version, encoded) == message


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_what_a_version_lacks_is_refused_or_ignored(kind: Kind) -> None:
    from kafkawire.compiler.fields import Array, fields_of, is_struct

    for version in kind.versions:
        plain = joined(kind.cls(), version)
        for field in fields_of(kind.cls):
            if version in field.versions:
                continue
            if isinstance(field.type, Array):
                other: Any = [field.type.element()] if is_struct(field.type.element) else ["x"]
            elif is_struct(field.type):
                other = None if field.default is not None else field.type()
            else:
                other = {"?": not field.default, "16s": b"\1" * 16, "": "other"}.get(field.type.code, 77)
            message = kind.cls(**{field.name: other})
            if field.ignorable:
                assert joined(message, version) == plain
            else:
                with pytest.raises(EncodeError):
                    joined(message, version)


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_decoders_assign_every_field_and_fresh_lists(kind: Kind) -> None:
    for version in kind.versions:
        data = obvious.encode(kind.cls(), version)
        one, two = codec.decode(kind.cls, version, data), codec.decode(kind.cls, version, data)
        for name in kind.cls.__wire__.texts:
            value = getattr(one, name)
            assert not isinstance(value, list) or value is not getattr(two, name)


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_versions_outside_the_range_are_refused(kind: Kind) -> None:
    for version in (kind.versions.start - 1, kind.versions.stop):
        with pytest.raises(WireError):
            codec.decode(kind.cls, version, b"")
        with pytest.raises(EncodeError):
            codec.encode(kind.cls(), version)
