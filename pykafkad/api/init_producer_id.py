"""InitProducerId (API key 22): an identity for a producer.

v2  flexible.   v3  a producer may name the id and epoch that it had.   v4  says PRODUCER_FENCED.

Without a transactional id it is just a fresh producer id. With one, the transaction coordinator ends whatever the last
producer of that name left open, and gives an epoch by which that one is fenced from now on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kafkawire.api.init_producer_id import Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType
from pykafkad.api.transacting import may_transact, told
from pykafkad.errors import Refused
from pykafkad.state.transactions.bodies import Identity

if TYPE_CHECKING:
    from pykafkad.api.grouping import Answer
    from pykafkad.runtime.producer_ids import ProducerIds

SAYS_FENCED = 4


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    transactional_id = request.transactional_id
    if transactional_id is not None:
        if not may_transact(call, transactional_id):
            return _refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    elif not call.authorise(Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER, "kafka-cluster"):
        return _refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if (request.producer_id == -1) != (request.producer_epoch == -1):
        return _refused(ErrorCode.INVALID_REQUEST)
    if transactional_id is None:
        return _without_transactions(call.node.producer_ids)
    return _transactional(call, request, transactional_id)


def _transactional(call: Call, request: Request, transactional_id: str) -> Answer:
    transactions = call.node.transactions
    shown = Identity(request.producer_id, request.producer_epoch) if request.producer_id != -1 else None

    def respond(body: Any) -> Response:
        if isinstance(body, Refused):
            return _refused(told(call, body, SAYS_FENCED))
        assert isinstance(body, Identity)
        return Response(producer_id=body.producer_id, producer_epoch=body.epoch)

    shard = transactions.shard(transactional_id)
    if isinstance(shard, Refused):  # what can be said without a coordinator comes first
        if not transactional_id:
            return _refused(ErrorCode.INVALID_REQUEST)
        if not 0 < request.transaction_timeout_ms <= call.node.config.transaction_max_timeout_ms:
            return _refused(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        return respond(shard)

    def ask(fresh: int | None) -> Response | asyncio.Future[Response]:
        return shard.ask(
            call.now,
            respond,
            shard.machine.init,
            transactional_id=transactional_id,
            timeout_ms=request.transaction_timeout_ms,
            shown=shown,
            fresh=fresh,
        )

    return transactions.with_producer_id(transactional_id, shard, ask)


def _without_transactions(ids: ProducerIds) -> Response | asyncio.Future[Response]:
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
