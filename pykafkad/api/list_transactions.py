"""ListTransactions (API key 66): the transactional ids that this broker coordinates, filtered.

By state and by producer id; v1 by how long ago the transaction began, v2 by a pattern that matches the whole id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.list_transactions import Request, Response, TransactionState
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.grouping import Answer, together
from pykafkad.api.transacting import may_see
from pykafkad.errors import Refused
from pykafkad.state.patterns import BadPattern, Pattern
from pykafkad.state.transactions.bodies import Listed, ListedTransaction
from pykafkad.state.transactions.phases import NAMES

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    transactions = call.node.transactions
    if transactions.loading():
        return Response(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    try:
        pattern = Pattern(request.transactional_id_pattern) if request.transactional_id_pattern else None
    except BadPattern:
        return Response(error_code=ErrorCode.INVALID_REGULAR_EXPRESSION)
    states, producer_ids = set(request.state_filters), set(request.producer_id_filters)
    duration = request.duration_filter

    def wanted(one: ListedTransaction) -> bool:
        return (
            (not producer_ids or one.producer_id in producer_ids)
            and (not states or one.state in states)
            and (duration < 0 or call.now - one.started_at > duration)
            and (pattern is None or pattern.matches(one.transactional_id))
            and may_see(call, one.transactional_id)
        )

    def build(bodies: list[Any]) -> Response:
        return Response(
            unknown_state_filters=[state for state in request.state_filters if state not in NAMES],
            transaction_states=[
                TransactionState(
                    transactional_id=one.transactional_id, producer_id=one.producer_id, transaction_state=one.state
                )
                for body in bodies
                if isinstance(body, Listed)
                for one in body.transactions
                if wanted(one)
            ],
        )

    return together([shard.ask(call.now, _as_it_is, shard.machine.listing) for shard in transactions.shards()], build)


def _as_it_is(body: Listed | Refused) -> Listed | Refused:
    return body
