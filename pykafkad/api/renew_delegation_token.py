"""RenewDelegationToken (API key 39): there are no tokens yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import renew_delegation_token
from pykafkad.api import handles
from pykafkad.api.tokens import refusal

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(renew_delegation_token.Request)
def handle(call: Call, request: renew_delegation_token.Request) -> renew_delegation_token.Response:
    return renew_delegation_token.Response(error_code=refusal(call), expiry_timestamp_ms=-1)
