"""CreateDelegationToken (API key 38): there are no tokens yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import create_delegation_token
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.tokens import refusal

if TYPE_CHECKING:
    from pykafkad.api.call import Call


_NOBODY = ("User", "ANONYMOUS")


@handles(create_delegation_token.Request)
def handle(call: Call, request: create_delegation_token.Request) -> create_delegation_token.Response:
    asking, _, who = call.peer.principal.partition(":")
    kind, name = asking, who
    code = refusal(call)
    if request.owner_principal_name:
        kind, name = request.owner_principal_type or "", request.owner_principal_name
        if request.owner_principal_type is None:  # Kafka stumbles over it and names nobody
            code, kind, name = ErrorCode.UNKNOWN_SERVER_ERROR, *_NOBODY
            asking, who = _NOBODY
    return create_delegation_token.Response(
        error_code=code,
        principal_type=kind,
        principal_name=name,
        token_requester_principal_type=asking if call.version >= 3 else "",
        token_requester_principal_name=who if call.version >= 3 else "",
        issue_timestamp_ms=-1,
        expiry_timestamp_ms=-1,
        max_timestamp_ms=-1,
    )
