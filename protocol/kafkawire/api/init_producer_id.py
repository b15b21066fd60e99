"""InitProducerId (API key 22): give a producer its id and epoch.

v3  a producer may show the id it has, to get its epoch raised.   v6  two-phase commit, not stable yet.
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

_VERSIONS = between(0, 6)


@message(api_key=22, versions=_VERSIONS, flexible=since(2))
class Request:
    transactional_id: String | None = ""
    transaction_timeout_ms: Int32 = 0
    producer_id: Annotated[Int64, since(3)] = -1
    producer_epoch: Annotated[Int16, since(3)] = -1
    enable2_pc: Annotated[Bool, since(6)] = False
    keep_prepared_txn: Annotated[Bool, since(6)] = False


@message(api_key=22, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    error_code: Int16 = 0
    producer_id: Int64 = -1
    producer_epoch: Int16 = 0
    ongoing_txn_producer_id: Annotated[Int64, since(6)] = -1
    ongoing_txn_producer_epoch: Annotated[Int16, since(6)] = -1
