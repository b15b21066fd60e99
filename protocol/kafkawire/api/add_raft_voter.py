"""AddRaftVoter (API key 80): let another controller vote in the metadata quorum."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int16,
    Int32,
    String,
    Uint16,
    Uuid,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 1)


@message(api_key=80, versions=_VERSIONS, flexible=since(0))
class Request:
    cluster_id: String | None = ""
    timeout_ms: Int32 = 0
    voter_id: Int32 = 0
    voter_directory_id: Uuid = ZERO_UUID
    listeners: list[Listener] = array()
    ack_when_committed: Annotated[Bool, since(1)] = True


@struct
class Listener:
    name: String = ""
    host: String = ""
    port: Uint16 = 0


@message(api_key=80, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: Annotated[String | None, ignorable] = ""
