"""SaslAuthenticate (API key 36): carry one step of a SASL exchange.

v1  tells how long the session lasts.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bytes,
    Int16,
    Int64,
    String,
    between,
    ignorable,
    message,
    since,
)

_VERSIONS = between(0, 2)


@message(api_key=36, versions=_VERSIONS, flexible=since(2))
class Request:
    auth_bytes: Bytes = b""


@message(api_key=36, versions=_VERSIONS, flexible=since(2))
class Response:
    error_code: Int16 = 0
    error_message: String | None = ""
    auth_bytes: Bytes = b""
    session_lifetime_ms: Annotated[Int64, since(1), ignorable] = 0
