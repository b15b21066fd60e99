"""CreateDelegationToken (API key 38): there are no tokens yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import create_delegation_token
from pykafkad.api import handles
from pykafkad.api.tokens import refusal

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(create_delegation_token.Request)
def handle(call: Call, request: create_delegation_token.Request) -> create_delegation_token.Response:
    return create_delegation_token.Response(error_code=refusal(call))
