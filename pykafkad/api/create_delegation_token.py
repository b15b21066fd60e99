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
    asking, _, who = call.peer.principal.partition(":")
    kind, name = asking, who
    if request.owner_principal_name:
        kind, name = request.owner_principal_type or "", request.owner_principal_name
    return create_delegation_token.Response(
        error_code=refusal(call),
        principal_type=kind,
        principal_name=name,
        token_requester_principal_type=asking if call.version >= 3 else "",
        token_requester_principal_name=who if call.version >= 3 else "",
        issue_timestamp_ms=-1,
        expiry_timestamp_ms=-1,
        max_timestamp_ms=-1,
    )
