"""DescribeCluster (API key 60): the brokers, the controller, the cluster's id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_cluster
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.endpoints import advertised
from pykafkad.api.operations import CLUSTER_NAME, authorised_operations, may_on_cluster

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_BROKERS, _CONTROLLERS = 1, 2


@handles(describe_cluster.Request)
def handle(call: Call, request: describe_cluster.Request) -> describe_cluster.Response:
    if request.endpoint_type == _CONTROLLERS:
        code = ErrorCode.MISMATCHED_ENDPOINT_TYPE if call.version >= 1 else ErrorCode.INVALID_REQUEST
        return describe_cluster.Response(
            error_code=code,
            error_message="The request was sent to an endpoint of type BROKER, but it wants one of type CONTROLLER",
        )
    if request.endpoint_type != _BROKERS:
        return describe_cluster.Response(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"Unsupported endpoint type {request.endpoint_type}",
        )
    image = call.node.image
    brokers = []
    for broker in image.brokers.values():
        address = advertised(call, broker.id)
        if address is None or (broker.fenced and not request.include_fenced_brokers):
            continue
        host, port = address
        brokers.append(
            describe_cluster.Broker(
                broker_id=broker.id, host=host, port=port, rack=broker.rack, is_fenced=broker.fenced
            )
        )
    response = describe_cluster.Response(
        cluster_id=call.node.cluster_id, controller_id=image.controller_id, brokers=brokers
    )
    if request.include_cluster_authorized_operations:
        may = may_on_cluster(call, Operation.DESCRIBE)
        operations = authorised_operations(call, ResourceType.CLUSTER, CLUSTER_NAME) if may else 0
        response.cluster_authorized_operations = operations
    return response
