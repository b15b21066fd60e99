"""DescribeLogDirs (API key 35): show how a broker's disks are filled.

v4  size and free space of the disk.
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
)

_VERSIONS = between(1, 5)


@message(api_key=35, versions=_VERSIONS, flexible=since(2))
class Request:
    topics: list[DescribableLogDirTopic] | None = array()


@struct
class DescribableLogDirTopic:
    topic: String = ""
    partitions: list[Int32] = array()


@message(api_key=35, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(3), ignorable] = 0
    results: list[Result] = array()


@struct
class Result:
    error_code: Int16 = 0
    log_dir: String = ""
    topics: list[Topic] = array()
    total_bytes: Annotated[Int64, since(4), ignorable] = -1
    usable_bytes: Annotated[Int64, since(4), ignorable] = -1
    is_cordoned: Annotated[Bool, since(5), ignorable] = False


@struct
class Topic:
    name: String = ""
    partitions: list[Partition] = array()


@struct
class Partition:
    partition_index: Int32 = 0
    partition_size: Int64 = 0
    offset_lag: Int64 = 0
    is_future_key: Bool = False
