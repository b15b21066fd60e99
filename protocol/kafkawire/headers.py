"""Request and response headers, and the one exception: ApiVersions answers always carry the old header (KIP-511)."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

from kafkawire.codec import Buffer, Piece, encoder
from kafkawire.errors import WireError
from kafkawire.keys import API
from kafkawire.varint import read_uvarint as read_unsigned

_REQUEST = Struct(">hhih")
_SIZE = Struct(">i")
_SIZE_AND_CORRELATION = Struct(">ii")
API_VERSIONS = 18


class RequestHeader(NamedTuple):
    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None


def is_flexible(api_key: int, version: int) -> bool:
    """Whether this version's headers and bodies are flexible (KIP-482); False for an unknown key."""
    api = API.get(api_key)
    return api is not None and api.flexible_since is not None and version >= api.flexible_since


def read_request_header(view: Buffer) -> tuple[RequestHeader, int]:
    """The header of a request and the position of its body. Unknown keys are read as non-flexible."""
    try:
        key, version, correlation, n = _REQUEST.unpack_from(view, 0)
        p = 10
        client_id = None
        if n >= 0:
            if p + n > len(view):
                raise WireError("client_id announces more bytes than there are")
            client_id = str(view[p : p + n], "utf-8")
            p += n
        elif n != -1:
            raise WireError("client_id has a negative length")
        if is_flexible(key, version):
            p = skip_tags(view, p)
    except (StructError, IndexError, UnicodeDecodeError) as error:
        raise WireError(f"request header: {error}") from error
    return RequestHeader(key, version, correlation, client_id), p


def skip_tags(view: Buffer, p: int) -> int:
    """The position behind a tag section whose fields nobody wants."""
    count = view[p]
    p += 1
    if count:
        count, p = read_unsigned(view, p - 1)
        for _ in range(count):
            _, p = read_unsigned(view, p)
            size, p = read_unsigned(view, p)
            p += size
            if p > len(view):
                raise WireError("a tagged field announces more bytes than there are")
    return p


def write_request_header(api_key: int, version: int, correlation_id: int, client_id: str | None) -> bytes:
    """A request header as clients send it."""
    name = client_id.encode() if client_id is not None else b""
    head = _REQUEST.pack(api_key, version, correlation_id, len(name) if client_id is not None else -1) + name
    return head + b"\0" if is_flexible(api_key, version) else head


def read_response_header(api_key: int, version: int, view: Buffer) -> tuple[int, int]:
    """The correlation id of a response and the position of its body."""
    try:
        (correlation,) = _SIZE.unpack_from(view, 0)
        p = skip_tags(view, 4) if api_key != API_VERSIONS and is_flexible(api_key, version) else 4
    except (StructError, IndexError) as error:
        raise WireError(f"response header: {error}") from error
    return correlation, p


def response_frame(correlation_id: int, message: Any, version: int) -> list[Piece]:
    """Size, header and body of a response, ready for a gathering write."""
    wire = message.__wire__
    flexible = wire.flexible is not None and version >= wire.flexible and wire.key != API_VERSIONS
    head = bytearray(9 if flexible else 8)
    pieces: list[Piece] = []
    last = encoder(type(message), version)(message, head, pieces)
    if last or not pieces:
        pieces.append(last)
    size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
    _SIZE_AND_CORRELATION.pack_into(head, 0, size - 4, correlation_id)
    return pieces


def request_frame(api_key: int, version: int, correlation_id: int, client_id: str | None, message: Any) -> list[Piece]:
    """Size, header and body of a request: the client's side."""
    head = bytearray(4) + write_request_header(api_key, version, correlation_id, client_id)
    pieces: list[Piece] = []
    last = encoder(type(message), version)(message, head, pieces)
    if last or not pieces:
        pieces.append(last)
    _SIZE.pack_into(head, 0, sum(map(len, pieces)) - 4)
    return pieces
