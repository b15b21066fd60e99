"""DeleteAcls (API key 31): there is no authorizer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import delete_acls
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import CloseConnection
from pykafkad.api.describe_acls import NO_AUTHORIZER

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(delete_acls.Request)
def handle(call: Call, request: delete_acls.Request) -> delete_acls.Response:
    for one in request.filters:
        if 0 in (one.resource_type_filter, one.pattern_type_filter, one.operation, one.permission_type):
            raise CloseConnection("a filter for ACLs with an element of unknown type")
    result = delete_acls.FilterResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
    return delete_acls.Response(filter_results=[result] * len(request.filters))
