"""Our bytes against kio's, an independent implementation: every API and version, both sides, and the headers.

kio reads what we wrote, its values are compared with ours field by field, and what kio writes from them must be our
bytes again. kio 0.6.5 knows all that we declare, save for the stored records.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import uuid
import zlib
from importlib import import_module
from random import Random
from typing import Any

import pytest
from kio.serial import entity_reader, entity_writer

from kafkawire import codec, headers
from kafkawire.compiler.fields import fields_of
from kafkawire.keys import Api, response_class
from kafkawire.schema import Message
from tests.kit.strategies import sample
from tests.wire.classes import API_CLASSES, APIS, EMBEDDED_CLASSES, Kind


def kio_class(name: str, version: int) -> type[Any] | None:
    side = "request" if name.endswith("Request") else "response" if name.endswith("Response") else "data"
    stem = name.removesuffix("Request").removesuffix("Response") if side != "data" else name
    module = "".join(f"_{char.lower()}" if char.isupper() else char for char in stem).lstrip("_")
    try:
        found: type[Any] = getattr(import_module(f"kio.schema.{module}.v{version}.{side}"), name)
    except ModuleNotFoundError:
        return None
    return found


def plain(value: Any) -> Any:
    """A value of kio as it is on the wire; structs as lists of (name, value)."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(milliseconds=1)
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def same(ours: Any, theirs: Any, version: int, where: str) -> None:
    if isinstance(ours, Message):
        fields = [field for field in fields_of(type(ours)) if version in field.versions]
        assert [field.name for field in fields] == [
            next((name for name in (key, f"{key}_ms") if name in type(ours).__wire__.texts), key) for key in theirs
        ], where
        for field, value in zip(fields, theirs.values(), strict=True):
            same(getattr(ours, field.name), value, version, f"{where}.{field.name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for one, other in zip(ours, theirs, strict=True):
            same(one, other, version, where)
    else:
        zero = bytes(16) if isinstance(ours, bytes) and len(ours) == 16 else -1
        assert ours == (zero if theirs is None and ours is not None else theirs), where


@pytest.mark.parametrize("kind", API_CLASSES + EMBEDDED_CLASSES, ids=str)
def test_bytes_are_kios(kind: Kind) -> None:
    for version in kind.versions:
        theirs = kio_class(kind.name, version)
        assert theirs is not None, f"kio lacks {kind.name} v{version}"
        read, write = entity_reader(theirs), entity_writer(theirs)
        random = Random(zlib.crc32(f"kio {kind} {version}".encode()))
        for _ in range(4):
            message = sample(kind.cls, version, random, calm=True)
            data = b"".join(bytes(piece) for piece in codec.encode(message, version))  # type: ignore[arg-type]
            entity, size = read(data, 0)
            assert size == len(data), version
            same(message, plain(entity), version, f"{kind.name} v{version}")
            out = io.BytesIO()
            write(out, entity)
            assert out.getvalue() == data, version


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_headers_are_kios(api: Api) -> None:
    for version in range(api.min_version, api.max_version + 1):
        request, response = kio_class(api.name + "Request", version), kio_class(api.name + "Response", version)
        assert request is not None and response is not None
        for client_id in ("grüße", "", None):
            data = headers.write_request_header(api.key, version, 77, client_id)
            entity, size = entity_reader(request.__header_schema__)(data, 0)
            assert size == len(data)
            assert (entity.request_api_key, entity.request_api_version) == (api.key, version)
            assert (entity.correlation_id, entity.client_id) == (77, client_id)
            assert headers.read_request_header(data) == ((api.key, version, 77, client_id), len(data))

        message = response_class(api.key)()
        pieces = headers.response_frame(-2, message, version)
        frame = b"".join(bytes(piece) for piece in pieces)  # type: ignore[arg-type]
        assert int.from_bytes(frame[:4], "big") == len(frame) - 4
        entity, size = entity_reader(response.__header_schema__)(frame[4:], 0)
        assert entity.correlation_id == -2
        assert headers.read_response_header(api.key, version, frame[4:]) == (-2, size)
        assert codec.decode(type(message), version, frame, 4 + size) == message
