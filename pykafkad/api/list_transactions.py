"""ListTransactions (API key 66): there are no transactions yet. v1 filters by duration, v2 by pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kafkawire.api import list_transactions
from kafkawire.errors import ErrorCode
from pykafkad.api import handles

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_STATES = frozenset(
    (
        "Empty",
        "Ongoing",
        "PrepareCommit",
        "PrepareAbort",
        "CompleteCommit",
        "CompleteAbort",
        "Dead",
        "PrepareEpochFence",
    )
)


@handles(list_transactions.Request)
def handle(call: Call, request: list_transactions.Request) -> list_transactions.Response:
    if request.transactional_id_pattern is not None:
        try:
            re.compile(request.transactional_id_pattern)
        except re.error:
            return list_transactions.Response(error_code=ErrorCode.INVALID_REGULAR_EXPRESSION)
    return list_transactions.Response(
        unknown_state_filters=[state for state in request.state_filters if state not in _STATES]
    )
