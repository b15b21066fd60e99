"""SaslAuthenticate (API key 36), on a listener without SASL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import sasl_authenticate
from kafkawire.errors import ErrorCode
from pykafkad.api import handles

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(sasl_authenticate.Request)
def handle(call: Call, request: sasl_authenticate.Request) -> sasl_authenticate.Response:
    return sasl_authenticate.Response(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message="SaslAuthenticate request received after successful authentication",
    )
