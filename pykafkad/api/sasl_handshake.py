"""SaslHandshake (API key 17), on a listener without SASL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import sasl_handshake
from kafkawire.errors import ErrorCode
from pykafkad.api import handles

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(sasl_handshake.Request)
def handle(call: Call, request: sasl_handshake.Request) -> sasl_handshake.Response:
    return sasl_handshake.Response(error_code=ErrorCode.ILLEGAL_SASL_STATE)
