"""CreateAcls (API key 30): there is no authorizer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import create_acls
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import CloseConnection
from pykafkad.api.describe_acls import NO_AUTHORIZER

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(create_acls.Request)
def handle(call: Call, request: create_acls.Request) -> create_acls.Response:
    for one in request.creations:
        if 0 in (one.resource_type, one.resource_pattern_type, one.operation, one.permission_type):
            raise CloseConnection("an ACL with an element of unknown type")
    result = create_acls.AclCreationResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
    return create_acls.Response(results=[result] * len(request.creations))
