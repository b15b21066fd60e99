"""AlterConfigs (API key 33): replace everything that is set on a resource. IncrementalAlterConfigs is its better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import alter_configs
from pykafkad.api import handles
from pykafkad.api.config_changes import altered
from pykafkad.runtime.admin import ResourceChange
from pykafkad.runtime.config_rules import Alteration, Op

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(alter_configs.Request)
async def handle(call: Call, request: alter_configs.Request) -> alter_configs.Response:
    changes = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [Alteration(one.name, Op.SET, one.value) for one in resource.configs],
            replace=True,
        )
        for resource in request.resources
    ]
    outcome = await altered(call, changes, request.validate_only)
    return alter_configs.Response(
        responses=[
            alter_configs.ResourceResponse(
                error_code=code, error_message=message, resource_type=change.resource_type, resource_name=change.name
            )
            for change, code, message in outcome
        ]
    )
