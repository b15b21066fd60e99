"""A client metrics subscription's settings: which clients push what, how often."""

from __future__ import annotations

import re

from pykafkad.config.setting import Settings, between, integer, items

_SELECTORS = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)


class ClientMetricsConfig(Settings):
    interval_ms = integer(300_000, "How often the matching clients push.", between(100, 3_600_000))
    match = items((), "Which clients: selector=pattern pairs that must all fit; empty means every client.")
    metrics = items((), "Prefixes of the metrics that are wanted; * means all of them.")


def refuse_match(text: str) -> str | None:
    """The first part of a match list that is not ``selector=regular expression``."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        selector, equals, pattern = part.partition("=")
        try:
            re.compile(pattern)
        except re.error:
            return part
        if not equals or selector.strip() not in _SELECTORS:
            return part
    return None
