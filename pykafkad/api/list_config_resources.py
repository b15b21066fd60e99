"""ListConfigResources (API key 74): what has, or can have, configs. v0 lists metrics subscriptions only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import list_config_resources
from kafkawire.api.list_config_resources import ConfigResource
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster
from pykafkad.cluster.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_LISTABLE = (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP)


@handles(list_config_resources.Request)
def handle(call: Call, request: list_config_resources.Request) -> list_config_resources.Response:
    if not may_on_cluster(call, Operation.DESCRIBE_CONFIGS):
        return list_config_resources.Response(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    wanted = (CLIENT_METRICS,) if call.version == 0 else tuple(request.resource_types) or _LISTABLE
    if any(resource_type not in _LISTABLE for resource_type in wanted):
        return list_config_resources.Response(error_code=ErrorCode.UNSUPPORTED_VERSION)
    image = call.node.image
    found: list[ConfigResource] = []
    for resource_type in dict.fromkeys(wanted):
        if resource_type == TOPIC:
            names = list(image.topics)
        elif resource_type in (BROKER, BROKER_LOGGER):
            names = [str(broker_id) for broker_id in image.brokers]
        else:
            names = [name for kind, name in image.configs if kind == resource_type]
        found.extend(ConfigResource(resource_name=name, resource_type=resource_type) for name in names)
    return list_config_resources.Response(config_resources=found)
