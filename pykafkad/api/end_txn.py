"""EndTxn (API key 26): commit or abort. Answered when the decision is safe; the partitions hear of it right after.

v2  says PRODUCER_FENCED.   v5  transaction version 2 (KIP-890): the answer brings the identity to go on with.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kafkawire.api.end_txn import Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.transacting import may_transact, told
from pykafkad.errors import Refused
from pykafkad.state.transactions.bodies import Identity

if TYPE_CHECKING:
    from pykafkad.api.call import Call
    from pykafkad.api.grouping import Answer

SAYS_FENCED = 2
BUMPING = 5


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    transactional_id = request.transactional_id
    if not may_transact(call, transactional_id):
        return Response(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    transactions, bumping = call.node.transactions, call.version >= BUMPING

    def respond(body: Any) -> Response:
        if isinstance(body, Refused):
            return Response(error_code=told(call, body, SAYS_FENCED))
        assert isinstance(body, Identity)
        return Response(producer_id=body.producer_id, producer_epoch=body.epoch)

    shard = transactions.shard(transactional_id)
    if isinstance(shard, Refused):
        return respond(shard if transactional_id else Refused(ErrorCode.INVALID_REQUEST))

    def ask(fresh: int | None) -> Response | asyncio.Future[Response]:
        return shard.ask(
            call.now,
            respond,
            shard.machine.end,
            transactional_id=transactional_id,
            producer_id=request.producer_id,
            epoch=request.producer_epoch,
            commit=request.committed,
            client_version=2 if bumping else 0,
            fresh=fresh,
        )

    return transactions.with_producer_id(transactional_id, shard, ask) if bumping else ask(None)
