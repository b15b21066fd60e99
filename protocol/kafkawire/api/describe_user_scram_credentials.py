"""DescribeUserScramCredentials (API key 50): list users and the SCRAM mechanisms they have, never a password."""

from __future__ import annotations

from kafkawire.schema import (
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


@message(api_key=50, versions=_VERSIONS, flexible=since(0))
class Request:
    users: list[UserName] | None = array()


@struct
class UserName:
    name: String = ""


@message(api_key=50, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
    results: list[Result] = array()


@struct
class Result:
    user: String = ""
    error_code: Int16 = 0
    error_message: String | None = ""
    credential_infos: list[CredentialInfo] = array()


@struct
class CredentialInfo:
    mechanism: Int8 = 0
    iterations: Int32 = 0
