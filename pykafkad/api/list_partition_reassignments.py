"""ListPartitionReassignments (API key 46): none is ever under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import list_partition_reassignments
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(list_partition_reassignments.Request)
def handle(call: Call, request: list_partition_reassignments.Request) -> list_partition_reassignments.Response:
    if not may_on_cluster(call, Operation.DESCRIBE):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return list_partition_reassignments.Response(error_code=code, error_message=code.message)
    return list_partition_reassignments.Response(error_message=None)
