"""ApiVersions: what we serve, computed from the table of served APIs, so that it can't promise too much.

Every client asks this first, in the newest version it knows. A version that we don't know is therefore answered, in
version 0, with the range that we do know; the client then asks again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kafkawire.api import api_versions
from kafkawire.errors import ErrorCode
from pykafkad import api

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")
_PRODUCE = 0

# Name -> (lowest, highest) level that this broker can work with. metadata.version counts Kafka's releases: 7 is 3.3,
# 30 is 4.3. transaction.version 2 is KIP-890. What we don't serve isn't listed: no groups of the new protocol.
FEATURES: dict[str, tuple[int, int]] = {"metadata.version": (7, 30), "transaction.version": (0, 2)}


@api.handles(api_versions.Request)
def handle(call: Call, request: api_versions.Request) -> api_versions.Response:
    if call.version >= 3 and not (
        _SOFTWARE.fullmatch(request.client_software_name) and _SOFTWARE.fullmatch(request.client_software_version)
    ):
        return api_versions.Response(error_code=int(ErrorCode.INVALID_REQUEST))
    response = api_versions.Response(api_keys=_api_keys())
    if call.version >= 3:
        image = call.node.image
        response.supported_features = [
            api_versions.SupportedFeatureKey(name=name, min_version=low, max_version=high)
            for name, (low, high) in FEATURES.items()
            if call.version >= 4 or low > 0
        ]
        response.finalized_features = [
            api_versions.FinalizedFeatureKey(name=name, min_version_level=level, max_version_level=level)
            for name, level in image.features.items()
            if level > 0 and name in FEATURES
        ]
        response.finalized_features_epoch = image.revision
    return response


def unsupported() -> api_versions.Response:
    """The answer, in version 0, to a version of ApiVersions that we don't know."""
    own = api.RANGES[api.API_VERSIONS]
    return api_versions.Response(
        error_code=int(ErrorCode.UNSUPPORTED_VERSION),
        api_keys=[api_versions.ApiVersion(api_key=own.key, min_version=own.min_version, max_version=own.max_version)],
    )


def _api_keys() -> list[api_versions.ApiVersion]:
    return [
        api_versions.ApiVersion(
            api_key=served.key,
            # Produce 0-2 are refused when they come, yet listed: old librdkafka takes their absence for a broker that
            # can't store compressed batches (KAFKA-18659).
            min_version=0 if served.key == _PRODUCE else served.min_version,
            max_version=served.max_version,
        )
        for served in api.RANGES.values()
    ]
