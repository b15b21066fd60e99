"""What the four delegation token APIs answer while there are no tokens: Kafka's two ways of saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.errors import ErrorCode

if TYPE_CHECKING:
    from pykafkad.api.call import Call


def refusal(call: Call) -> int:
    """Who is nobody cannot even ask; for others the feature is turned off."""
    if call.peer.principal == "User:ANONYMOUS":
        return ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    return ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
