"""What `listeners` and `advertised.listeners` say: names, protocols, hosts and ports, before any socket exists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from pykafkad.errors import ConfigError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class ListenerSettings(Protocol):
    """The part of the config that is read here."""

    @property
    def listeners(self) -> tuple[str, ...]: ...
    @property
    def advertised_listeners(self) -> tuple[str, ...] | None: ...
    @property
    def listener_security_protocol_map(self) -> str: ...


class Endpoint(NamedTuple):
    """One listener as configured. Host "" is every interface; port 0 lets the kernel choose."""

    name: str
    protocol: str
    host: str
    port: int


def endpoints(config: ListenerSettings) -> list[Endpoint]:
    """The listeners to open; ConfigError with one line that names key, value and reason."""
    protocols = _protocols(config.listener_security_protocol_map)
    found: list[Endpoint] = []
    for name, host, port in _parse("listeners", config.listeners):
        protocol = protocols.get(name)
        if protocol is None:
            raise ConfigError(
                f"listeners={name}://{host}:{port}: no security protocol for {name} in listener.security.protocol.map"
            )
        if protocol != "PLAINTEXT":
            raise ConfigError(f"listeners={name}://{host}:{port}: {protocol} isn't supported yet, only PLAINTEXT is")
        if any(other.name == name for other in found):
            raise ConfigError(f"listeners={','.join(config.listeners)}: listener {name} is there twice")
        if port and any(other.port == port and other.host == host for other in found):
            raise ConfigError(f"listeners={','.join(config.listeners)}: port {port} is there twice")
        found.append(Endpoint(name, protocol, host, port))
    if not found:
        raise ConfigError("listeners=: a broker needs at least one listener")
    return found


def advertised(config: ListenerSettings, opened: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Addresses that clients are told, by listener name; a name left out means: the address the client reached."""
    told = {}
    names = set(opened)
    for name, host, port in _parse("advertised.listeners", config.advertised_listeners or ()):
        if name not in names:
            raise ConfigError(f"advertised.listeners={name}://{host}:{port}: listeners has no {name}")
        if host in ("", "0.0.0.0", "::"):
            raise ConfigError(
                f"advertised.listeners={name}://{host}:{port}: clients can't connect to a wildcard;"
                " leave advertised.listeners unset to tell each client the address that it reached"
            )
        told[name] = (host, port)
    return told


def bracketed(host: str, port: int) -> str:
    """host:port as it is written everywhere, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_port(key: str, text: str) -> tuple[str, int]:
    """Split ``host:port``, ``[v6]:port`` and Kafka's ``v6:port``."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or "[" in host or "/" in host:
        raise ConfigError(f"{key}={text}: expected host:port with a port from 0 to 65535")
    return host, int(port)


def _parse(key: str, values: Iterable[str]) -> list[tuple[str, str, int]]:
    parsed = []
    for value in values:
        name, separator, rest = value.strip().partition("://")
        if not separator or not name:
            raise ConfigError(f"{key}={value}: expected NAME://host:port")
        try:
            host, port = host_port(key, rest)
        except ConfigError:
            raise ConfigError(f"{key}={value}: expected NAME://host:port with a port from 0 to 65535") from None
        parsed.append((name.upper(), host, port))
    return parsed


def _protocols(text: str) -> dict[str, str]:
    protocols = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, colon, protocol = pair.rpartition(":")
        if not colon or protocol.upper() not in PROTOCOLS:
            raise ConfigError(f"listener.security.protocol.map={text}: {pair} isn't NAME:{'|'.join(PROTOCOLS)}")
        protocols[name.strip().upper()] = protocol.upper()
    return protocols
