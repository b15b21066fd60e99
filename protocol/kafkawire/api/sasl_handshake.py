"""SaslHandshake (API key 17): choose a SASL mechanism.

v0 is followed by bare SASL tokens, v1 by SaslAuthenticate requests.
"""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    String,
    array,
    between,
    message,
)

_VERSIONS = between(0, 1)


@message(api_key=17, versions=_VERSIONS)
class Request:
    mechanism: String = ""


@message(api_key=17, versions=_VERSIONS)
class Response:
    error_code: Int16 = 0
    mechanisms: list[String] = array()
