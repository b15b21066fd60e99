"""UpdateFeatures (API key 57): raise or lower the levels of cluster features."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int8,
    Int16,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
    until,
)

_VERSIONS = between(0, 2)


@message(api_key=57, versions=_VERSIONS, flexible=since(0))
class Request:
    timeout_ms: Int32 = 60000
    feature_updates: list[FeatureUpdateKey] = array()
    validate_only: Annotated[Bool, since(1)] = False


@struct
class FeatureUpdateKey:
    feature: String = ""
    max_version_level: Int16 = 0
    allow_downgrade: Annotated[Bool, until(0)] = False
    upgrade_type: Annotated[Int8, since(1)] = 1


@message(api_key=57, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
    results: Annotated[list[UpdatableFeatureResult], until(1), ignorable] = array()


@struct
class UpdatableFeatureResult:
    feature: String = ""
    error_code: Int16 = 0
    error_message: String | None = ""
