"""RemoveRaftVoter (API key 81): take a controller's vote in the metadata quorum away."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    String,
    Uuid,
    between,
    ignorable,
    message,
    since,
)

_VERSIONS = between(0, 0)


@message(api_key=81, versions=_VERSIONS, flexible=since(0))
class Request:
    cluster_id: String | None = ""
    voter_id: Int32 = 0
    voter_directory_id: Uuid = ZERO_UUID


@message(api_key=81, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: Annotated[String | None, ignorable] = ""
