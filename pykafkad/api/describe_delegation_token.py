"""DescribeDelegationToken (API key 41): there are no tokens yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_delegation_token
from pykafkad.api import handles
from pykafkad.api.tokens import refusal

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_delegation_token.Request)
def handle(call: Call, request: describe_delegation_token.Request) -> describe_delegation_token.Response:
    return describe_delegation_token.Response(error_code=refusal(call))
