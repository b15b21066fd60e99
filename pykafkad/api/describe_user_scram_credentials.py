"""DescribeUserScramCredentials (API key 50): no user has any yet."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import describe_user_scram_credentials
from kafkawire.api.describe_user_scram_credentials import Result
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_user_scram_credentials.Request)
def handle(call: Call, request: describe_user_scram_credentials.Request) -> describe_user_scram_credentials.Response:
    if not may_on_cluster(call, Operation.DESCRIBE):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return describe_user_scram_credentials.Response(error_code=code, error_message=code.message)
    times = Counter(user.name for user in request.users or ())
    return describe_user_scram_credentials.Response(results=[_result(name, count) for name, count in times.items()])


def _result(name: str, count: int) -> Result:
    if count > 1:
        message = f"Cannot describe SCRAM credentials for the same user twice in a single request: {name}"
        return Result(user=name, error_code=ErrorCode.DUPLICATE_RESOURCE, error_message=message)
    message = f"Attempt to describe a user credential that does not exist: {name}"
    return Result(user=name, error_code=ErrorCode.RESOURCE_NOT_FOUND, error_message=message)
