"""AlterUserScramCredentials (API key 51): set and remove SCRAM passwords."""

from __future__ import annotations

from kafkawire.schema import (
    Bytes,
    Int8,
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=51, versions=_VERSIONS, flexible=since(0))
class Request:
    deletions: list[ScramCredentialDeletion] = array()
    upsertions: list[ScramCredentialUpsertion] = array()


@struct
class ScramCredentialDeletion:
    name: String = ""
    mechanism: Int8 = 0


@struct
class ScramCredentialUpsertion:
    name: String = ""
    mechanism: Int8 = 0
    iterations: Int32 = 0
    salt: Bytes = b""
    salted_password: Bytes = b""


@message(api_key=51, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[Result] = array()


@struct
class Result:
    user: String = ""
    error_code: Int16 = 0
    error_message: String | None = ""
