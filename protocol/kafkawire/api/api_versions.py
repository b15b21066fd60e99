"""ApiVersions (API key 18): tell which APIs, versions and features this broker has: the first thing any client asks.

v3  flexible, and the client says what software it is; the answer keeps the old header in all versions (KIP-511).
v4  features may have a lowest level of 0.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int16,
    Int32,
    Int64,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
    tag,
)

_VERSIONS = between(0, 4)


@message(api_key=18, versions=_VERSIONS, flexible=since(3))
class Request:
    client_software_name: Annotated[String, since(3), ignorable] = ""
    client_software_version: Annotated[String, since(3), ignorable] = ""


@message(api_key=18, versions=_VERSIONS, flexible=since(3))
class Response:
    error_code: Int16 = 0
    api_keys: list[ApiVersion] = array()
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    supported_features: Annotated[list[SupportedFeatureKey], tag(0), since(3), ignorable] = array()
    finalized_features_epoch: Annotated[Int64, tag(1), since(3), ignorable] = -1
    finalized_features: Annotated[list[FinalizedFeatureKey], tag(2), since(3), ignorable] = array()
    zk_migration_ready: Annotated[Bool, tag(3), since(3), ignorable] = False


@struct
class ApiVersion:
    api_key: Int16 = 0
    min_version: Int16 = 0
    max_version: Int16 = 0


@struct
class SupportedFeatureKey:
    name: Annotated[String, since(3)] = ""
    min_version: Annotated[Int16, since(3)] = 0
    max_version: Annotated[Int16, since(3)] = 0


@struct
class FinalizedFeatureKey:
    name: Annotated[String, since(3)] = ""
    max_version_level: Annotated[Int16, since(3)] = 0
    min_version_level: Annotated[Int16, since(3)] = 0
