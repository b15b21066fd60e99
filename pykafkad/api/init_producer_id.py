"""InitProducerId (API key 22): an identity for an idempotent producer.

v2  flexible.   v3  a producer may name the id and epoch that it had.

Transactional ids belong to a transaction coordinator, which this broker doesn't have yet: it answers what a broker
answers whose coordinator can't be reached, which clients retry.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kafkawire.api import init_producer_id
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.runtime.producer_ids import ProducerIds

Response = init_producer_id.Response


@handles(init_producer_id.Request)
def handle(call: Call, request: init_producer_id.Request) -> Response | asyncio.Future[Response]:
    transactional_id = request.transactional_id
    if transactional_id is not None:
        if not call.authorise(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id):
            return _refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    elif not call.authorise(Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER, "kafka-cluster"):
        return _refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if (request.producer_id == -1) != (request.producer_epoch == -1):
        return _refused(ErrorCode.INVALID_REQUEST)
    if transactional_id is not None:
        return _refused(ErrorCode.COORDINATOR_NOT_AVAILABLE if transactional_id else ErrorCode.INVALID_REQUEST)
    ids = call.node.producer_ids
    producer_id = ids.at_hand()
    if producer_id is not None:
        return Response(producer_id=producer_id, producer_epoch=0)
    return asyncio.get_running_loop().create_task(_after_next_block(ids))


async def _after_next_block(ids: ProducerIds) -> Response:
    try:
        return Response(producer_id=await ids.next(), producer_epoch=0)
    except Exception:
        # Already in the log, once for all who wait. Kafka's answer while a block is on its way; producers ask again.
        return _refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)


def _refused(code: ErrorCode) -> Response:
    return Response(error_code=int(code), producer_id=-1, producer_epoch=-1)
