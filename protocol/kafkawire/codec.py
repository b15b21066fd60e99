"""Bytes to messages and back: ``decode(cls, version, buffer)``, ``encode(message, version)``.

This is the only place where the many ways in which bytes can be wrong become one: ``WireError``.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import error as struct_error
from typing import Any, TypeAlias, TypeVar

from kafkawire.errors import EncodeError, WireError
from kafkawire.schema import Declaration, Piece

T = TypeVar("T")
Buffer: TypeAlias = bytes | bytearray | memoryview
Decode: TypeAlias = Callable[..., Any]
Encode: TypeAlias = Callable[..., bytearray]

__all__ = ["Buffer", "EncodeError", "Piece", "WireError", "decode", "decoder", "encode", "encode_into", "encoder"]

# What generated decoders raise on bytes that are missing or no text. UnicodeDecodeError is a ValueError.
_WRONG = (IndexError, struct_error, ValueError, OverflowError)


def decoder(cls: type[Any], version: int) -> Decode:
    """The compiled ``decode(buffer, position=0)``. It wants bytes, or a memoryview for messages with records, and
    raises more than WireError: ``decode`` is the way in for bytes from outside."""
    wire: Declaration = cls.__wire__
    found = wire.decoders.get(version)
    if found is None:
        if version not in wire.versions:
            raise WireError(f"{wire.name} has no version {version}")
        from kafkawire.compiler.decoder import compile_decoder

        found = wire.decoders[version] = compile_decoder(cls, version)
    return found


def encoder(cls: type[Any], version: int) -> Encode:
    """The compiled ``encode(message, out, pieces) -> the bytearray it ended in``; see ``encode``."""
    wire: Declaration = cls.__wire__
    found = wire.encoders.get(version)
    if found is None:
        if version not in wire.versions:
            raise EncodeError(f"{wire.name} has no version {version}")
        from kafkawire.compiler.encoder import compile_encoder

        found = wire.encoders[version] = compile_encoder(cls, version)
    return found


def decode(cls: type[T], version: int, buffer: Buffer, position: int = 0) -> T:
    """The message that fills the buffer from ``position`` to its end; WireError if it doesn't.

    Records come out as slices of the buffer; everything else is copied out of it.
    """
    decode_it: Any = cls.__wire__.decoders.get(version) or decoder(cls, version)  # type: ignore[attr-defined]
    try:
        if decode_it.wants_view:
            message: T = decode_it(buffer if type(buffer) is memoryview else memoryview(buffer), position)
        else:
            message = decode_it(buffer if type(buffer) is bytes else bytes(buffer), position)
        return message
    except _WRONG as error:
        raise WireError(f"{cls.__module__.rpartition('.')[2]} {cls.__name__} v{version}: {error}") from error


def encode(message: Any, version: int) -> list[Piece]:
    """The message as pieces, ready to be sent one after the other; one piece unless it carries records."""
    pieces: list[Piece] = []
    last = encoder(type(message), version)(message, bytearray(), pieces)
    if last or not pieces:
        pieces.append(last)
    return pieces


def encode_into(message: Any, version: int, out: bytearray) -> None:
    """Append a message without records to a buffer."""
    encoder(type(message), version)(message, out)
