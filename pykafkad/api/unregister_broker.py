"""UnregisterBroker (API key 64): a dead broker's registration goes with its lease, so there is never one to remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import unregister_broker
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(unregister_broker.Request)
def handle(call: Call, request: unregister_broker.Request) -> unregister_broker.Response:
    if not may_on_cluster(call, Operation.ALTER):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return unregister_broker.Response(error_code=code, error_message=code.message)
    if request.broker_id not in call.node.image.brokers:
        code = ErrorCode.BROKER_ID_NOT_REGISTERED
        message = f"Broker ID {request.broker_id} is not currently registered"
    else:
        code = ErrorCode.INVALID_REQUEST
        message = f"Broker {request.broker_id} is running; stop it, and its registration goes by itself"
    return unregister_broker.Response(error_code=code, error_message=message)
