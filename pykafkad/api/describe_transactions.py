"""DescribeTransactions (API key 65): there are no transactions yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_transactions
from kafkawire.api.describe_transactions import TransactionState
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_transactions.Request)
def handle(call: Call, request: describe_transactions.Request) -> describe_transactions.Response:
    return describe_transactions.Response(
        transaction_states=[
            TransactionState(transactional_id=one, error_code=_code(call, one))
            for one in request.transactional_ids
        ]
    )


def _code(call: Call, transactional_id: str) -> ErrorCode:
    if not call.authorise(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return ErrorCode.TRANSACTIONAL_ID_NOT_FOUND if transactional_id else ErrorCode.INVALID_REQUEST
