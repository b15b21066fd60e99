"""IncrementalAlterConfigs (API key 44): set, delete, append to and subtract from single keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import incremental_alter_configs
from kafkawire.api.incremental_alter_configs import AlterConfigsResourceResponse
from pykafkad.api import handles
from pykafkad.api.config_changes import altered
from pykafkad.runtime.admin import ResourceChange
from pykafkad.runtime.config_rules import Alteration

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(incremental_alter_configs.Request)
async def handle(call: Call, request: incremental_alter_configs.Request) -> incremental_alter_configs.Response:
    changes = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [Alteration(one.name, one.config_operation, one.value) for one in resource.configs],
        )
        for resource in request.resources
    ]
    outcome = await altered(call, changes, request.validate_only)
    return incremental_alter_configs.Response(
        responses=[
            AlterConfigsResourceResponse(
                error_code=code, error_message=message, resource_type=change.resource_type, resource_name=change.name
            )
            for change, code, message in outcome
        ]
    )
