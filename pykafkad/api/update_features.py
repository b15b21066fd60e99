"""UpdateFeatures (API key 57): raise or lower the levels of features, all or none.

v0  may downgrade or not.   v1  kind of change, validate only.   v2  no results per feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import update_features
from kafkawire.api.update_features import UpdatableFeatureResult
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.api_versions import FEATURES
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster
from pykafkad.cluster.image import ClusterImage
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_UPGRADE, _SAFE_DOWNGRADE, _UNSAFE_DOWNGRADE = 1, 2, 3


@handles(update_features.Request)
async def handle(call: Call, request: update_features.Request) -> update_features.Response:
    if not may_on_cluster(call, Operation.ALTER):
        return update_features.Response(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message=None)
    for update in request.feature_updates:
        kind = update.upgrade_type if call.version else _UPGRADE  # as in Kafka, allow_downgrade is not heard
        reason = _refuse(call.node.image, call.node.node_id, update.feature, update.max_version_level, kind)
        if reason:
            message = (
                "The update failed for all features since the following feature had an error: "
                f"Invalid update version {update.max_version_level} for feature {update.feature}. {reason}"
            )
            return update_features.Response(error_code=ErrorCode.INVALID_UPDATE_VERSION, error_message=message)
    levels = {update.feature: update.max_version_level for update in request.feature_updates}
    refused = None if request.validate_only else await call.node.admin.update_features(levels)
    if isinstance(refused, Refused):
        return update_features.Response(error_code=refused.code, error_message=refused.detail)
    results = [UpdatableFeatureResult(feature=name, error_message="NONE") for name in levels]
    return update_features.Response(error_message=None, results=results if call.version < 2 else [])


def _refuse(image: ClusterImage, node_id: int, feature: str, level: int, kind: int) -> str:
    if feature not in FEATURES:
        return f"Local controller {node_id} does not support this feature."
    if kind not in (_UPGRADE, _SAFE_DOWNGRADE, _UNSAFE_DOWNGRADE):
        return "The controller does not support the given upgrade type."
    low, high = FEATURES[feature]
    if not low <= level <= high:
        return f"Local controller {node_id} only supports versions {low}-{high}"
    if level > image.features.get(feature, 0) and kind != _UPGRADE:
        return "Can't downgrade to a newer version."
    if level < image.features.get(feature, 0) and kind == _UPGRADE:
        return (
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe "
            "downgrade."
        )
    return ""
