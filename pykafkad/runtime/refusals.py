"""What a coordinator says when it can't serve, in the errors that Kafka gives for each reason.

A module of its own so that a starting broker knows the refusals before it has loaded the coordinators themselves.
"""

from __future__ import annotations

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused

MOVED = Refused(ErrorCode.NOT_COORDINATOR, "the coordinator's partition is not led here")
LOADING = Refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "the coordinator is reading its log")
RECOVERING = Refused(ErrorCode.NOT_LEADER_OR_FOLLOWER, "the partition's log is being read again after a crash")
TOO_FEW = Refused(ErrorCode.COORDINATOR_NOT_AVAILABLE, "too few replicas are in sync")
TOO_LATE = Refused(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the replicas did not confirm in time")
TOO_LARGE = Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "the record is larger than its topic takes")
