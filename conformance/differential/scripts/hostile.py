"""Frames that no client sends: cut, padded, with impossible lengths, unknown versions, bytes changed at random.

They are made from the valid requests of ``edges``. Most deserve a closed connection; some are requests all the same,
and then their answers count like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from conformance.differential.scripts import Script, script, scripts_of
from conformance.differential.scripts.edges import keep_own, valid
from conformance.differential.side import Side, Versions
from conformance.differential.wire import BY_NAME
from kafkawire.headers import is_flexible

MUTATIONS = 12
CLIENT = b"\0\3cli"
HUGE = b"\xff\xff\xff\xff\x07"  # varints: 2147483647, and beyond 32 bits what Kafka reads as −1
MINUS_ONE = b"\xff\xff\xff\xff\x0f"
_WAITS = {"fetch", "join_group", "sync_group", "produce", "elect_leaders", "delete_records"}  # may be told to wait
_MAKES = {
    "alter_configs",
    "incremental_alter_configs",
    "create_topics",
    "create_partitions",
    "unregister_broker",
    "update_features",
}  # a changed byte may make much

_ECHOES = {"leave_group"}  # answers with the id that a broker made up


@scripts_of("hostile")
def scripts(served: dict[str, Versions]) -> Iterator[Script]:
    for api, versions in served.items():
        for version in versions.each():
            yield Script("hostile", f"hostile {api} v{version}", partial(_attack, api, version), False)


def _attack(api: str, version: int, side: Side) -> None:
    key = BY_NAME[api].key
    whole = valid(side, api, version)
    start = 10 + len("cli") + is_flexible(key, version)
    payload = whole[4:]
    body = payload[start:]
    frames = [*_heads(key, version, body), *_bodies(key, version, body)]
    if version in (*side.served[api], BY_NAME[api].flexible_since):  # where the shapes of lengths differ most
        fixed = body
        for made_up in side.topic_ids.values():  # the same bytes on both sides
            fixed = fixed.replace(made_up, b"\xaa" * 16)
        frames += _lengths(key, version, body, fixed)
    for what, frame in frames:
        side.throw(key, version, what, framed(frame))
        side.show(partial(keep_own, side))
    if api not in _MAKES | _WAITS | _ECHOES:
        for n in range(MUTATIONS):
            side.throw(key, version, f"mutation {n}", framed(payload[:start] + _mutated(side, body)))
            side.show(partial(keep_own, side))


def framed(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


def head(key: int, version: int, client: bytes = CLIENT, tags: bytes = b"\0") -> bytes:
    return struct.pack(">hhi", key, version, 7) + client + (tags if is_flexible(key, version) else b"")


def _heads(key: int, version: int, body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "null client id", head(key, version, b"\xff\xff") + body
    yield "client id of length -2", head(key, version, b"\xff\xfe") + body
    yield "client id longer than the frame", head(key, version, b"\x7f\xff") + body
    yield "client id that is no text", head(key, version, b"\0\2\xff\xfe") + body
    if is_flexible(key, version):
        yield "unknown tag in the header", head(key, version, tags=b"\1\5\2ab") + body
        yield "a header tag twice", head(key, version, tags=b"\2\5\1a\5\1b") + body
        yield "header tags out of order", head(key, version, tags=b"\2\6\1a\5\1b") + body
        yield "header tag of size -1", head(key, version, tags=b"\1\5" + MINUS_ONE) + body
        yield "header tag beyond the end", head(key, version, tags=b"\1\5\x7f") + body


def _bodies(key: int, version: int, body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "no body", head(key, version)
    for part in (4, 2):
        if len(body) // part:
            yield f"cut after 1/{part}", head(key, version) + body[: len(body) // part]
    if body:
        yield "last byte missing", head(key, version) + body[:-1]
    yield "a byte too many", head(key, version) + body + b"\0"
    yield "many bytes too many", head(key, version) + body + bytes(64)
    yield "all bytes ff", head(key, version) + b"\xff" * len(body)
    yield "all bytes 00", head(key, version) + bytes(len(body))
    yield "all bytes 7f", head(key, version) + b"\x7f" * len(body)
    if is_flexible(key, version) and body.endswith(b"\0"):
        known = head(key, version) + body[:-1]
        yield "unknown tag", known + b"\1\x63\2ab"
        yield "unknown tags out of order", known + b"\2\x64\1a\x63\1b"
        yield "an unknown tag twice", known + b"\2\x63\1a\x63\1b"
        yield "tag beyond the end", known + b"\1\x63\x7fab"
        yield "more tags than bytes", known + HUGE
        yield "tag of size -1", known + b"\1\x63" + MINUS_ONE


def _lengths(key: int, version: int, body: bytes, fixed: bytes) -> Iterator[tuple[str, bytes]]:
    """Wherever a length may stand: null, negative, huge."""
    before = head(key, version)
    for i in range(len(body)):
        if is_flexible(key, version):
            if fixed[i] in (1, 2):
                yield f"byte {i} null", before + body[:i] + b"\0" + body[i + 1 :]
                yield f"byte {i} huge", before + body[:i] + HUGE + body[i + 1 :]
                yield f"byte {i} negative", before + body[:i] + MINUS_ONE + body[i + 1 :]
        elif fixed[i : i + 4] in (bytes(4), b"\0\0\0\1"):
            yield f"bytes {i} null", before + body[:i] + b"\xff\xff\xff\xff" + body[i + 4 :]
            yield f"bytes {i} negative", before + body[:i] + b"\xff\xff\xff\xfe" + body[i + 4 :]
            yield f"bytes {i} huge", before + body[:i] + b"\x7f\xff\xff\xff" + body[i + 4 :]


def _mutated(side: Side, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(side.random.randint(1, 3)):
        if changed:
            changed[side.random.randrange(len(changed))] = side.random.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
    return bytes(changed)


@script()
def versions(side: Side) -> None:
    """Versions around those that are served, and API keys that aren't."""
    for served in side.served:
        api = BY_NAME[served]
        for version in (api.min_version - 1, api.max_version + 1, -1, 32767):
            side.throw(
                api.key,
                version,
                "unsupported version",
                framed(struct.pack(">hhi", api.key, version, 7) + CLIENT + bytes(8)),
            )
    for key in (-1, 4, 5, 7, 52, 56, 58, 62, 63, 67, 70, 93, 1000, 32767):
        side.throw(key, 0, f"API key {key}", framed(struct.pack(">hhih", key, 0, 7, -1) + bytes(4)))


@script()
def shapeless(side: Side) -> None:
    """Frames that don't even have a header."""
    for what, frame in (
        ("no bytes", framed(b"")),
        ("one byte", framed(b"\0")),
        ("an API key", framed(b"\0\x12")),
        ("three bytes", framed(b"\0\x12\0")),
        ("no client id", framed(struct.pack(">hhi", 18, 0, 1))),
        ("no client id, flexible", framed(struct.pack(">hhi", 18, 3, 1))),
        ("negative size", b"\xff\xff\xff\xff"),
        ("most negative size", b"\x80\0\0\0"),
        ("largest size", b"\x7f\xff\xff\xff"),
        ("one more than is taken", struct.pack(">i", 104857601) + bytes(10)),
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("tls", bytes.fromhex("16030100c8010000c40303") + bytes(50)),
    ):
        side.throw(18, 0, what, frame)
