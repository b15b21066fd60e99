"""What can go wrong, in Kafka's numbers; and the one exception that bytes from outside can cause.

Each code is declared once: number, what it means, and whether a client may try the same again.
"""

from __future__ import annotations

from enum import IntEnum


class WireError(Exception):
    """Bytes that are no message. The peer's fault, always; nothing else escapes from reading."""


class TrailingBytes(WireError):
    """A message that was complete and had more bytes behind it; ``decoded`` is the message.

    Kafka ignores such bytes, and librdkafka sends some (a Metadata request for all topics, from v10 on): a broker goes
    on with what it has.
    """

    def __init__(self, reason: str, decoded: object) -> None:
        super().__init__(reason)
        self.decoded = decoded


class EncodeError(ValueError):
    """A message that the wanted version can't say. Our fault, always."""


class ErrorCode(IntEnum):
    """An answer's ``error_code``."""

    message: str
    retriable: bool

    def __new__(cls, code: int, message: str = "", retriable: bool = False) -> ErrorCode:
        self = int.__new__(cls, code)
        self._value_ = code
        self.message = message
        self.retriable = retriable
        return self

    UNKNOWN_SERVER_ERROR = -1, "The broker met an error that it did not expect."
    NONE = 0, "No error."
    OFFSET_OUT_OF_RANGE = 1, "The offset lies outside what the log holds."
    CORRUPT_MESSAGE = 2, "The records are damaged: a checksum, a size or a required key is wrong.", True
    UNKNOWN_TOPIC_OR_PARTITION = 3, "This broker does not host such a topic or partition.", True
    INVALID_FETCH_SIZE = 4, "The fetch size is not valid."
    LEADER_NOT_AVAILABLE = 5, "The partition has no leader at the moment.", True
    NOT_LEADER_OR_FOLLOWER = 6, "This broker is not the one that serves the partition for this request.", True
    REQUEST_TIMED_OUT = 7, "The request took longer than it was allowed to.", True
    BROKER_NOT_AVAILABLE = 8, "The broker is not available."
    REPLICA_NOT_AVAILABLE = 9, "The replica is not available on this broker.", True
    MESSAGE_TOO_LARGE = 10, "The record batch is larger than the topic accepts."
    STALE_CONTROLLER_EPOCH = 11, "The controller has moved on to another broker."
    OFFSET_METADATA_TOO_LARGE = 12, "The text committed with the offset is too long."
    NETWORK_EXCEPTION = 13, "The connection ended before an answer arrived.", True
    COORDINATOR_LOAD_IN_PROGRESS = 14, "The coordinator is still reading its log.", True
    COORDINATOR_NOT_AVAILABLE = 15, "There is no coordinator at the moment.", True
    NOT_COORDINATOR = 16, "This broker is not the coordinator.", True
    INVALID_TOPIC_EXCEPTION = 17, "The topic name is not valid, or the topic may not be used this way."
    RECORD_LIST_TOO_LARGE = 18, "The batch is larger than a segment may be."
    NOT_ENOUGH_REPLICAS = 19, "Fewer replicas are in sync than the topic demands.", True
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, "Written, but to fewer replicas in sync than the topic demands.", True
    INVALID_REQUIRED_ACKS = 21, "acks must be -1, 0 or 1."
    ILLEGAL_GENERATION = 22, "The generation is not the group's current one."
    INCONSISTENT_GROUP_PROTOCOL = 23, "The member shares no protocol with the rest of the group, or named none."
    INVALID_GROUP_ID = 24, "The group id is not valid."
    UNKNOWN_MEMBER_ID = 25, "The group does not know this member."
    INVALID_SESSION_TIMEOUT = 26, "The session timeout is outside the broker's limits."
    REBALANCE_IN_PROGRESS = 27, "The group is rebalancing: join again."
    INVALID_COMMIT_OFFSET_SIZE = 28, "The commit is too large to be stored."
    TOPIC_AUTHORIZATION_FAILED = 29, "Not authorised for the topic."
    GROUP_AUTHORIZATION_FAILED = 30, "Not authorised for the group."
    CLUSTER_AUTHORIZATION_FAILED = 31, "Not authorised for the cluster."
    INVALID_TIMESTAMP = 32, "A record's timestamp is outside what the topic accepts."
    UNSUPPORTED_SASL_MECHANISM = 33, "The broker does not offer this SASL mechanism."
    ILLEGAL_SASL_STATE = 34, "The request does not fit the state of the authentication."
    UNSUPPORTED_VERSION = 35, "This version of the request is not supported."
    TOPIC_ALREADY_EXISTS = 36, "A topic of this name exists already."
    INVALID_PARTITIONS = 37, "The number of partitions is not valid."
    INVALID_REPLICATION_FACTOR = 38, "The replication factor is not valid for this cluster."
    INVALID_REPLICA_ASSIGNMENT = 39, "The replica assignment is not valid."
    INVALID_CONFIG = 40, "The configuration is not valid."
    NOT_CONTROLLER = 41, "This broker is not the controller.", True
    INVALID_REQUEST = 42, "The request contradicts itself or breaks a rule of the protocol."
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, "The broker's record format does not support this."
    POLICY_VIOLATION = 44, "A policy of the cluster forbids these parameters."
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, "The producer's sequence number does not follow the last one."
    DUPLICATE_SEQUENCE_NUMBER = 46, "The producer's sequence number was seen before."
    INVALID_PRODUCER_EPOCH = 47, "The producer's epoch is older than the one on record."
    INVALID_TXN_STATE = 48, "The transaction is in a state in which this cannot be done."
    INVALID_PRODUCER_ID_MAPPING = 49, "The producer id is not the one that belongs to the transactional id."
    INVALID_TRANSACTION_TIMEOUT = 50, "The transaction timeout is longer than the broker allows."
    CONCURRENT_TRANSACTIONS = 51, "The previous step of this transaction has not ended yet.", True
    TRANSACTION_COORDINATOR_FENCED = 52, "A newer transaction coordinator has taken over."
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, "Not authorised for the transactional id."
    SECURITY_DISABLED = 54, "Security features are switched off."
    OPERATION_NOT_ATTEMPTED = 55, "Not attempted, because another part of the request failed first."
    KAFKA_STORAGE_ERROR = 56, "The disk failed under this partition.", True
    LOG_DIR_NOT_FOUND = 57, "The broker has no such log directory."
    SASL_AUTHENTICATION_FAILED = 58, "Authentication failed."
    UNKNOWN_PRODUCER_ID = 59, "The broker remembers nothing of this producer id."
    REASSIGNMENT_IN_PROGRESS = 60, "The partition is being reassigned already."
    DELEGATION_TOKEN_AUTH_DISABLED = 61, "Delegation tokens are switched off."
    DELEGATION_TOKEN_NOT_FOUND = 62, "There is no such delegation token."
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, "The principal neither owns the token nor may renew it."
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, "Delegation tokens cannot be asked for over this kind of connection."
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, "Not authorised for the delegation token."
    DELEGATION_TOKEN_EXPIRED = 66, "The delegation token has expired."
    INVALID_PRINCIPAL_TYPE = 67, "The kind of principal is not supported."
    NON_EMPTY_GROUP = 68, "The group still has members."
    GROUP_ID_NOT_FOUND = 69, "There is no such group."
    FETCH_SESSION_ID_NOT_FOUND = 70, "The broker does not know this fetch session.", True
    INVALID_FETCH_SESSION_EPOCH = 71, "The fetch session's epoch is not the next one.", True
    LISTENER_NOT_FOUND = 72, "The leader has no listener that matches the one asked.", True
    TOPIC_DELETION_DISABLED = 73, "Topics cannot be deleted here."
    FENCED_LEADER_EPOCH = 74, "The leader epoch in the request is older than the broker's.", True
    UNKNOWN_LEADER_EPOCH = 75, "The leader epoch in the request is newer than the broker's.", True
    UNSUPPORTED_COMPRESSION_TYPE = 76, "The client's version does not know this compression."
    STALE_BROKER_EPOCH = 77, "The broker epoch is an old one."
    OFFSET_NOT_AVAILABLE = 78, "The new leader cannot tell its high watermark yet.", True
    MEMBER_ID_REQUIRED = 79, "Join again with the member id in this answer."
    PREFERRED_LEADER_NOT_AVAILABLE = 80, "The preferred leader is not available.", True
    GROUP_MAX_SIZE_REACHED = 81, "The group has as many members as it may."
    FENCED_INSTANCE_ID = 82, "Another member has taken this instance id."
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, "No replica that may lead is available.", True
    ELECTION_NOT_NEEDED = 84, "The partition has the wanted leader already.", True
    NO_REASSIGNMENT_IN_PROGRESS = 85, "The partition is not being reassigned."
    GROUP_SUBSCRIBED_TO_TOPIC = 86, "The group is still subscribed to the topic."
    INVALID_RECORD = 87, "A record breaks a rule of the topic or of the record format."
    UNSTABLE_OFFSET_COMMIT = 88, "A transaction that commits to these offsets has not ended yet.", True
    THROTTLING_QUOTA_EXCEEDED = 89, "The quota is used up for now.", True
    PRODUCER_FENCED = 90, "A newer producer has taken this transactional id."
    RESOURCE_NOT_FOUND = 91, "The named resource does not exist."
    DUPLICATE_RESOURCE = 92, "The named resource exists already."
    UNACCEPTABLE_CREDENTIAL = 93, "The credential does not meet the rules."
    INCONSISTENT_VOTER_SET = 94, "The voters differ from those the receiver expects."
    INVALID_UPDATE_VERSION = 95, "The update builds on another version than the current one."
    FEATURE_UPDATE_FAILED = 96, "The features could not be updated."
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, "The forwarded principal could not be read."
    SNAPSHOT_NOT_FOUND = 98, "There is no such snapshot."
    POSITION_OUT_OF_RANGE = 99, "The position lies outside the snapshot."
    UNKNOWN_TOPIC_ID = 100, "This broker does not know the topic id.", True
    DUPLICATE_BROKER_REGISTRATION = 101, "A broker with this id is registered already."
    BROKER_ID_NOT_REGISTERED = 102, "No broker with this id is registered."
    INCONSISTENT_TOPIC_ID = 103, "The topic id is not the one the log belongs to.", True
    INCONSISTENT_CLUSTER_ID = 104, "The cluster id is not this cluster's."
    TRANSACTIONAL_ID_NOT_FOUND = 105, "There is no such transactional id."
    FETCH_SESSION_TOPIC_ID_ERROR = 106, "The fetch session mixes topic names and topic ids.", True
    INELIGIBLE_REPLICA = 107, "The replica may not join the replicas in sync."
    NEW_LEADER_ELECTED = 108, "The change went through and made another broker the leader."
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, "The offset is held in tiered storage."
    FENCED_MEMBER_EPOCH = 110, "The member's epoch was taken back by the coordinator: join again."
    UNRELEASED_INSTANCE_ID = 111, "The instance id is still in use by another member."
    UNSUPPORTED_ASSIGNOR = 112, "The group does not support this assignor."
    STALE_MEMBER_EPOCH = 113, "The member's epoch is out of date: ask for the current one and try again."
    MISMATCHED_ENDPOINT_TYPE = 114, "The request reached the wrong kind of endpoint."
    UNSUPPORTED_ENDPOINT_TYPE = 115, "The endpoint type is not supported."
    UNKNOWN_CONTROLLER_ID = 116, "There is no controller with this id."
    UNKNOWN_SUBSCRIPTION_ID = 117, "The telemetry subscription is not the current one."
    TELEMETRY_TOO_LARGE = 118, "The telemetry is larger than the broker accepts."
    INVALID_REGISTRATION = 119, "The registration is not valid."
    TRANSACTION_ABORTABLE = 120, "The transaction can go no further: abort it."
    INVALID_RECORD_STATE = 121, "The acknowledgement does not fit the record's delivery state."
    SHARE_SESSION_NOT_FOUND = 122, "The broker does not know this share session.", True
    INVALID_SHARE_SESSION_EPOCH = 123, "The share session's epoch is not the next one.", True
    FENCED_STATE_EPOCH = 124, "The share group's state epoch is older than the one on record."
    INVALID_VOTER_KEY = 125, "The voter's key is not the receiver's."
    DUPLICATE_VOTER = 126, "The voter is in the set already."
    VOTER_NOT_FOUND = 127, "The voter is not in the set."
    INVALID_REGULAR_EXPRESSION = 128, "The regular expression is not valid."
    REBOOTSTRAP_REQUIRED = 129, "The client should start again from its bootstrap servers."
    STREAMS_INVALID_TOPOLOGY = 130, "The streams topology is not valid."
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, "The streams topology epoch is not valid."
    STREAMS_TOPOLOGY_FENCED = 132, "The streams topology epoch is an old one."
    SHARE_SESSION_LIMIT_REACHED = 133, "The broker holds as many share sessions as it may.", True
