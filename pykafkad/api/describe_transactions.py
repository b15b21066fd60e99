"""DescribeTransactions (API key 65): state, owner and partitions of transactions, by their transactional ids.

Of a transaction whose end is decided, the partitions that have yet to hear of it.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kafkawire.api.describe_transactions import Request, Response, TopicData, TransactionState
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may_topic, together
from pykafkad.api.transacting import may_see
from pykafkad.errors import Refused
from pykafkad.state.transactions.bodies import Described

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    parts = [_describe(call, transactional_id) for transactional_id in request.transactional_ids]
    return together(parts, lambda states: Response(transaction_states=states))


def _describe(call: Call, transactional_id: str) -> TransactionState | asyncio.Future[TransactionState]:
    def respond(body: Any) -> TransactionState:
        if isinstance(body, Refused):
            return TransactionState(transactional_id=transactional_id, error_code=body.code)
        assert isinstance(body, Described)
        untold = call.node.transactions.untold(transactional_id)
        left = body.partitions if untold is None else [one for one in body.partitions if one in untold]
        return TransactionState(
            transactional_id=transactional_id,
            transaction_state=body.state,
            transaction_timeout_ms=body.timeout_ms,
            transaction_start_time_ms=body.started_at,
            producer_id=body.producer_id,
            producer_epoch=body.epoch,
            topics=[
                TopicData(topic=topic, partitions=[index for _, index in those])
                for topic, those in groupby(left, key=itemgetter(0))
                if may_topic(call, Operation.DESCRIBE, topic)
            ],
        )

    if not may_see(call, transactional_id):
        return respond(Refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    if not transactional_id:
        return respond(Refused(ErrorCode.INVALID_REQUEST))
    shard = call.node.transactions.shard(transactional_id)
    if isinstance(shard, Refused):
        return respond(shard)
    return shard.ask(call.now, respond, shard.machine.describe, transactional_id=transactional_id)
