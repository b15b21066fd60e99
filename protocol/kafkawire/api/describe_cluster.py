"""DescribeCluster (API key 60): list brokers (or controllers), the controller and the cluster id.

v1  asks for brokers or controllers.   v2  fenced brokers too, on request.
"""

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
    message,
    since,
    struct,
)

_VERSIONS = between(0, 2)


@message(api_key=60, versions=_VERSIONS, flexible=since(0))
class Request:
    include_cluster_authorized_operations: Bool = False
    endpoint_type: Annotated[Int8, since(1)] = 1
    include_fenced_brokers: Annotated[Bool, since(2)] = False


@message(api_key=60, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    endpoint_type: Annotated[Int8, since(1)] = 1
    cluster_id: String = ""
    controller_id: Int32 = -1
    brokers: list[Broker] = array()
    cluster_authorized_operations: Int32 = -2147483648


@struct
class Broker:
    broker_id: Int32 = 0
    host: String = ""
    port: Int32 = 0
    rack: String | None = None
    is_fenced: Annotated[Bool, since(2)] = False
