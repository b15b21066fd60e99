"""Our declarations against Kafka's own message data: names, order, types, versions, nullability, defaults, tags.

The data isn't part of this repository: ``KAFKA_MESSAGES`` names a folder with Kafka's JSON files (or with folders of
them), and ``../shared/kafka/messages`` is looked at too.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kafkawire.compiler.fields import Array, fields_of, is_struct
from kafkawire.keys import API
from kafkawire.schema import FOREVER, DefaultStruct
from tests.wire.classes import APIS, CLASSES, Kind

_ROOT = Path(__file__).parents[2]
_FOLDER = Path(os.environ.get("KAFKA_MESSAGES") or _ROOT.parent / "shared" / "kafka" / "messages")
pytestmark = pytest.mark.skipif(not _FOLDER.is_dir(), reason=f"Kafka's message data isn't at {_FOLDER}")

_ZERO = {"bool": False, "float64": 0.0, "string": "", "bytes": b"", "records": b"", "uuid": bytes(16)}


@cache
def data() -> dict[str, dict[str, Any]]:
    found = {}
    for path in _FOLDER.rglob("*.json"):
        text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
        found[path.stem] = json.loads(text)
    return found


def snake(name: str) -> str:
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name).lower()


def bounds(text: str | None) -> range:
    if text is None or text == "none":
        return range(0)
    first, dash, last = text.rstrip("+").partition("-")
    stop = FOREVER if text.endswith("+") else int(last if dash else first)
    return range(int(first), stop + 1)


def within(versions: range, valid: range) -> range:
    both = range(max(versions.start, valid.start), min(versions.stop, valid.stop))
    return both if len(both) else range(0)


def default_of(spec: dict[str, Any]) -> Any:
    kind, given = spec["type"], spec.get("default")
    if given == "null" or kind == "records":  # a bare null in the JSON means to Kafka that none is given
        return None if spec.get("nullableVersions", "none") != "0" else b""
    if kind.startswith("[]"):
        return []
    if kind[0].isupper():
        return DefaultStruct
    if given is None or given == "":
        return _ZERO.get(kind, 0)
    if kind == "bool":
        return str(given).lower() == "true"
    if kind == "float64":
        return float(given)
    return given if kind in ("string", "bytes") else int(str(given), 0)


def compare(cls: type[Any], specs: list[dict[str, Any]], commons: dict[str, Any], valid: range, where: str) -> None:
    wanted = [spec for spec in specs if within(bounds(spec.get("versions") or spec["taggedVersions"]), valid)]
    fields = fields_of(cls)
    assert [field.name for field in fields] == [snake(spec["name"]) for spec in wanted], where
    for field, spec in zip(fields, wanted, strict=True):
        here = f"{where}.{field.name}"
        said = within(bounds(spec.get("versions") or spec["taggedVersions"]), valid)
        assert within(range(field.versions.first, field.versions.last + 1), valid) == said, here
        nullable = within(bounds(spec.get("nullableVersions")), said)
        ours = range(0) if field.nullable_since is None else within(range(field.nullable_since, FOREVER), said)
        assert ours == nullable, here
        assert field.tag == spec.get("tag"), here
        if field.tag is not None:
            assert within(bounds(spec["taggedVersions"]), valid) == said, here
        if said != valid:
            assert field.ignorable == bool(spec.get("ignorable", False)), here
        default = default_of(spec)
        if default is DefaultStruct:
            assert isinstance(field.default, DefaultStruct), here
        else:
            assert field.default == default, here
            assert type(field.default) is type(default), here
        kind, text = field.type, spec["type"]
        if text.startswith("[]"):
            assert isinstance(kind, Array), here
            kind, text = kind.element, text[2:]
        if text[0].isupper():
            assert is_struct(kind), here
            compare(kind, spec.get("fields") or commons[text], commons, said, here)
        else:
            assert kind.name.lower() == text, here


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_declared_as_in_kafka(kind: Kind) -> None:
    spec = data()[kind.name]
    wire = kind.cls.__wire__
    assert kind.versions == bounds(spec["validVersions"])
    assert (range(0) if wire.flexible is None else range(wire.flexible, FOREVER + 1)) == bounds(
        spec["flexibleVersions"]
    ) or not within(bounds(spec["flexibleVersions"]), kind.versions)
    if "apiKey" in spec:
        assert wire.key == spec["apiKey"]
    commons = {common["name"]: common["fields"] for common in spec.get("commonStructs", ())}
    compare(kind.cls, spec["fields"], commons, kind.versions, kind.name)


def test_every_api_of_a_broker_is_declared() -> None:
    requests = [spec for spec in data().values() if spec.get("type") == "request" and spec["validVersions"] != "none"]
    wanted = {spec["apiKey"]: spec for spec in requests if "broker" in spec["listeners"]}
    assert wanted.keys() == {api.key for api in APIS}
    for spec in requests:
        api = API[spec["apiKey"]]
        assert api.name + "Request" == spec["name"]
        assert range(api.min_version, api.max_version + 1) == bounds(spec["validVersions"])
        assert api.module == snake(api.name)
        assert set(api.listeners) == set(spec["listeners"])
        assert api.unstable_latest == spec.get("latestVersionUnstable", False)
        flexible = bounds(spec["flexibleVersions"])
        assert api.flexible_since == (flexible.start if len(flexible) else None)


def test_every_stored_message_is_declared() -> None:
    declared = {kind.name for kind in CLASSES}
    folders = ("group-records", "metadata-records", "share-records", "txn-records")
    assert {path.stem for folder in folders for path in (_FOLDER / folder).glob("*.json")} <= declared
