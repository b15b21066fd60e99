"""DescribeConfigs (API key 32): settings in effect, and where each comes from.

v1  synonyms.   v3  type and documentation.   v4  flexible.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from kafkawire.api import describe_configs
from kafkawire.api.describe_configs import ResourceResult, Result, Synonym
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.operations import may_on_cluster
from pykafkad.cluster.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from pykafkad.errors import Refused
from pykafkad.runtime import config_view, loggers
from pykafkad.runtime.config_rules import refuse_broker_id
from pykafkad.runtime.config_view import Shown
from pykafkad.runtime.topic_rules import refuse_name

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_TYPES = frozenset({TOPIC, BROKER, BROKER_LOGGER, GROUP, CLIENT_METRICS})
_STRANGER = Refused(ErrorCode.INVALID_REQUEST)


@handles(describe_configs.Request)
def handle(call: Call, request: describe_configs.Request) -> describe_configs.Response:
    results = []
    known = all(resource.resource_type in _TYPES for resource in request.resources)  # one stranger spoils the request
    for resource in request.resources:
        wanted = frozenset(resource.configuration_keys or ())
        shown = _shown(call, resource.resource_type, resource.resource_name, wanted) if known else _STRANGER
        result = Result(resource_type=resource.resource_type, resource_name=resource.resource_name)
        if isinstance(shown, Refused):
            result.error_code = shown.code
            result.error_message = shown.detail or shown.code.message
        else:
            result.error_message = ""
            result.configs = [_written(one, request.include_synonyms, request.include_documentation) for one in shown]
        results.append(result)
    return describe_configs.Response(results=results)


def _shown(call: Call, resource_type: int, name: str, wanted: Collection[str]) -> list[Shown] | Refused:
    if (refused := _refuse(call, resource_type, name)) is not None:
        return refused
    config, image = call.node.config, call.node.image
    if resource_type == TOPIC:
        return config_view.topic(config, image.config(TOPIC, name), wanted)
    if resource_type == BROKER:
        if name:
            return config_view.broker(config, wanted)
        return config_view.brokers_default(image.config(BROKER, ""), wanted)
    if resource_type == BROKER_LOGGER:
        return loggers.shown(wanted)
    if resource_type == GROUP:
        return config_view.group(config, image.config(GROUP, name), wanted)
    return config_view.client_metrics(image.config(CLIENT_METRICS, name), wanted)


def _refuse(call: Call, resource_type: int, name: str) -> Refused | None:
    """Whether there is such a resource, and whether the peer may look at it."""
    invalid = ErrorCode.INVALID_REQUEST
    if resource_type == TOPIC:
        if not call.authorise(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, name):
            return Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        if (refused := refuse_name(name)) is not None:
            return refused
        return None if name in call.node.image.topics else Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if resource_type == GROUP:
        if not call.authorise(Operation.DESCRIBE_CONFIGS, ResourceType.GROUP, name):
            return Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED)
        return None if name else Refused(invalid, "Group name must not be empty")
    if not may_on_cluster(call, Operation.DESCRIBE_CONFIGS):
        return Refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if resource_type == CLIENT_METRICS:
        return None if name else Refused(invalid, "Client metrics subscription name must not be empty")
    if resource_type == BROKER_LOGGER and not name:
        return Refused(invalid, "Broker id must not be empty")
    return refuse_broker_id(name, call.node.node_id) if name else None


def _written(one: Shown, synonyms: bool, documentation: bool) -> ResourceResult:
    return ResourceResult(
        name=one.key,
        value=one.value,
        read_only=one.read_only,
        config_source=one.source,
        is_sensitive=one.sensitive,
        synonyms=[Synonym(name=key, value=value, source=source) for key, value, source in one.synonyms]
        if synonyms
        else [],
        config_type=one.kind,
        documentation=one.meaning if documentation else None,
    )
