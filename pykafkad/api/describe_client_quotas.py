"""DescribeClientQuotas (API key 48): none can be set yet, so none is found; bad filters are refused as ever."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import describe_client_quotas
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_EXACT, _DEFAULT, _ANY = 0, 1, 2
_ENTITIES = ("user", "client-id", "ip")


@handles(describe_client_quotas.Request)
def handle(call: Call, request: describe_client_quotas.Request) -> describe_client_quotas.Response:
    if not may_on_cluster(call, Operation.DESCRIBE_CONFIGS):
        refused: Refused | None = Refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    else:
        refused = _refuse(request)
    if refused is None:
        return describe_client_quotas.Response(error_message="")
    message = refused.detail or refused.code.message
    return describe_client_quotas.Response(error_code=refused.code, error_message=message, entries=None)


def _refuse(request: describe_client_quotas.Request) -> Refused | None:
    invalid = ErrorCode.INVALID_REQUEST
    times = Counter(one.entity_type for one in request.components)
    for one in request.components:
        if not one.entity_type:
            return Refused(invalid, "Invalid empty entity type.")
        if one.entity_type not in _ENTITIES:
            return Refused(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {one.entity_type}")
        if one.match_type == _EXACT and one.match is None:
            return Refused(invalid, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
        if one.match_type == _DEFAULT and one.match is not None:
            return Refused(invalid, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
        if one.match_type == _ANY and one.match is not None:
            return Refused(invalid, "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
        if one.match_type not in (_EXACT, _DEFAULT, _ANY):
            return Refused(invalid, f"Unknown match type {one.match_type}")
        if times[one.entity_type] > 1:
            return Refused(invalid, f"Entity type {one.entity_type} cannot appear more than once in the filter.")
    if "ip" in times and len(times) > 1:
        return Refused(invalid, "An ip filter component cannot be used together with user or client-id components.")
    return None
