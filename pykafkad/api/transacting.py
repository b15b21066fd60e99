"""What the transaction APIs share: the right to a transactional id, and how a fenced producer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.errors import ErrorCode
from pykafkad.api.call import Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.api.call import Call
    from pykafkad.errors import Refused


def may_transact(call: Call, transactional_id: str) -> bool:
    return call.authorise(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id)


def may_see(call: Call, transactional_id: str) -> bool:
    return call.authorise(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id)


def told(call: Call, refused: Refused, says_fenced: int) -> ErrorCode:
    """The code for a refusal; PRODUCER_FENCED has a name only from version ``says_fenced`` of the API on."""
    if refused.code != ErrorCode.PRODUCER_FENCED:
        return refused.code
    call.node.transactions.fenced.value += 1
    return refused.code if call.version >= says_fenced else ErrorCode.INVALID_PRODUCER_EPOCH
