"""Listener lists: ``NAME://host:port`` and the protocol behind each name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pykafkad.errors import ConfigError

if TYPE_CHECKING:
    from pykafkad.config.broker import Config

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_LISTENER = r"(?P<name>[A-Za-z0-9_.-]+)://(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\[\]/]*)):(?P<port>-?[0-9]+)"


class Listener(NamedTuple):
    name: str
    host: str  # empty: every interface
    port: int  # 0: any free one
    protocol: str


def _invalid(key: str, text: str, reason: str) -> ConfigError:
    return ConfigError(f"Invalid value {text} for configuration {key}: {reason}")


def _parse(key: str, entries: tuple[str, ...], protocols: dict[str, str]) -> tuple[Listener, ...]:
    found: dict[str, Listener] = {}
    for entry in entries:
        match = re.fullmatch(_LISTENER, entry)
        if match is None:
            raise _invalid(key, entry, "expected NAME://host:port")
        name, port = match["name"].upper(), int(match["port"])
        if not 0 <= port <= 65535:
            raise _invalid(key, entry, "the port must be between 0 and 65535")
        if name in found:
            raise _invalid(key, ",".join(entries), f"each listener must have a different name, {name} is there twice")
        if name not in protocols:
            raise _invalid(key, entry, f"no protocol for {name} in listener.security.protocol.map")
        found[name] = Listener(name, match["six"] or match["host"] or "", port, protocols[name])
    return tuple(found.values())


def protocol_map(config: Config) -> dict[str, str]:
    text = config.listener_security_protocol_map
    protocols = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, colon, protocol = entry.rpartition(":")
        if not colon or protocol.upper() not in PROTOCOLS:
            raise _invalid("listener.security.protocol.map", text, f"{entry} is not NAME:PROTOCOL")
        protocols[name.upper()] = protocol.upper()
    return protocols


def listeners(config: Config) -> tuple[Listener, ...]:
    """The listeners to open. Names of controller listeners are left out: there is no separate controller here."""
    controllers = {name.upper() for name in config.controller_listener_names}
    entries = tuple(one for one in config.listeners if one.partition("://")[0].upper() not in controllers)
    opened = _parse("listeners", entries, protocol_map(config))
    if not opened:
        raise _invalid("listeners", ",".join(config.listeners), "at least one listener is needed")
    return opened


def advertised_listeners(config: Config) -> dict[str, tuple[str, int]]:
    """Listener name -> address told to clients; empty when advertised.listeners is unset."""
    if not config.advertised_listeners:
        return {}
    text = ",".join(config.advertised_listeners)
    advertised = _parse("advertised.listeners", config.advertised_listeners, protocol_map(config))
    opened = {one.name for one in listeners(config)} | {name.upper() for name in config.controller_listener_names}
    for one in advertised:
        if one.name not in opened:
            raise _invalid("advertised.listeners", text, f"{one.name} is not one of the listeners")
        if one.host in ("0.0.0.0", "::", ""):
            raise _invalid(
                "advertised.listeners", text, "cannot be the address of every interface; name a routable one"
            )
    return {one.name: (one.host, one.port) for one in advertised}
