"""DescribeAcls (API key 29): there is no authorizer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_acls
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import CloseConnection

if TYPE_CHECKING:
    from pykafkad.api.call import Call

NO_AUTHORIZER = "No Authorizer is configured."


@handles(describe_acls.Request)
def handle(call: Call, request: describe_acls.Request) -> describe_acls.Response:
    kinds = (request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type)
    if 0 in kinds:  # "unknown", which no client can mean: Kafka hangs up
        raise CloseConnection("a filter for ACLs with an element of unknown type")
    return describe_acls.Response(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
