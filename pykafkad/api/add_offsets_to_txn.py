"""AddOffsetsToTxn (API key 25): the transaction will commit offsets of a group.

v2  says PRODUCER_FENCED. Producers of transaction version 2 don't send it: TxnOffsetCommit adds the partition of
``__consumer_offsets`` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.add_offsets_to_txn import Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import may
from pykafkad.api.transacting import may_transact, told
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, partition_for

if TYPE_CHECKING:
    from pykafkad.api.call import Call
    from pykafkad.api.grouping import Answer

SAYS_FENCED = 2


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    transactional_id, node = request.transactional_id, call.node
    if not may_transact(call, transactional_id):
        return Response(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if not may(call, Operation.READ, request.group_id):
        return Response(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)

    def respond(body: Any) -> Response:
        return Response(error_code=told(call, body, SAYS_FENCED) if isinstance(body, Refused) else ErrorCode.NONE)

    shard = node.transactions.shard(transactional_id)
    if isinstance(shard, Refused):
        return respond(shard if transactional_id else Refused(ErrorCode.INVALID_REQUEST))
    topic = node.image.topic(OFFSETS_TOPIC)
    count = len(topic.partitions) if topic is not None else node.config.offsets_topic_num_partitions
    return shard.ask(
        call.now,
        respond,
        shard.machine.add_partitions,
        transactional_id=transactional_id,
        producer_id=request.producer_id,
        epoch=request.producer_epoch,
        partitions=((OFFSETS_TOPIC, partition_for(request.group_id, count)),),
        client_version=0,
    )
