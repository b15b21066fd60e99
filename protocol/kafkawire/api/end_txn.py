"""EndTxn (API key 26): commit or abort a transaction.

v5  the answer brings the next producer epoch (KIP-890).
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int16,
    Int32,
    Int64,
    String,
    between,
    ignorable,
    message,
    since,
)

_VERSIONS = between(0, 5)


@message(api_key=26, versions=_VERSIONS, flexible=since(3))
class Request:
    transactional_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    committed: Bool = False


@message(api_key=26, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Annotated[Int64, since(5), ignorable] = -1
    producer_epoch: Annotated[Int16, since(5), ignorable] = -1
