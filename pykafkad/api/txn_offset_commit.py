"""TxnOffsetCommit (API key 28): commit a group's offsets as part of a transaction.

v3  the member says who it is, so that zombies are fenced.   v4  clients know TRANSACTION_ABORTABLE.
v5  without AddOffsetsToTxn before it (transaction version 2).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kafkawire.api.txn_offset_commit import Request, Response, ResponsePartition, ResponseTopic
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.grouping import Answer, may, may_topic
from pykafkad.api.merging import refused_first
from pykafkad.errors import Refused
from pykafkad.runtime import vouching
from pykafkad.runtime.vouching import Unverified, vouch
from pykafkad.state.decisions import Producer
from pykafkad.state.groups.bodies import CommitRequest, Committed, NewOffset
from pykafkad.state.sequences import NO_SEQUENCE

if TYPE_CHECKING:
    from pykafkad.api.call import Call

LOADING = 2  # below, clients know no COORDINATOR_LOAD_IN_PROGRESS
TRANSACTION_ABORTABLE = 4
IMPLICIT_ADD = 5


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if not call.authorise(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id):
        return _refuse(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if not may(call, Operation.READ, request.group_id):
        return _refuse(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
    commit = _Commit(call, request)
    return commit.begin() if commit.new else commit.response


class _Commit:
    """One request: what of it is refused at once, and what the coordinators have to say about the rest."""

    def __init__(self, call: Call, request: Request) -> None:
        self.call = call
        self.request = request
        self.new: list[NewOffset] = []
        self.answers: list[ResponsePartition] = []  # those of ``new``, in its order
        parted: list[tuple[bytes | str, ResponseTopic, ResponseTopic]] = []
        image = call.node.image
        for asked in request.topics:
            topic = image.topics.get(asked.name)
            code = ErrorCode.NONE if topic is not None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if not may_topic(call, Operation.READ, asked.name):
                code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
            refused, passed = ResponseTopic(name=asked.name), ResponseTopic(name=asked.name)
            parted.append((asked.name, refused, passed))
            for one in asked.partitions:
                index = one.partition_index
                answer = ResponsePartition(partition_index=index, error_code=code)
                if topic is None or code is not ErrorCode.NONE:
                    refused.partitions.append(answer)
                elif not 0 <= index < len(topic.partitions):
                    answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                    refused.partitions.append(answer)
                else:
                    passed.partitions.append(answer)
                    self.answers.append(answer)
                    metadata = one.committed_metadata or ""
                    offset, epoch = one.committed_offset, one.committed_leader_epoch
                    self.new.append(NewOffset(asked.name, index, offset, epoch, metadata, topic.id))
        self.response = Response(topics=refused_first(parted))

    def begin(self) -> Answer:
        """Ask the transaction's coordinator, then the group's."""
        call, request = self.call, self.request
        if not request.group_id:
            return self.respond(Refused(ErrorCode.INVALID_GROUP_ID))
        shard = call.node.groups.shard(request.group_id)
        if isinstance(shard, Refused):
            return self.respond(shard)
        producer = vouching.Producer(
            request.transactional_id, request.producer_id, request.producer_epoch, call.version >= IMPLICIT_ADD
        )
        vouched = vouch(call.node, producer, [(shard.partition, NO_SEQUENCE)], call.now, self._translate)
        return self._later(vouched) if isinstance(vouched, asyncio.Future) else self._commit(vouched)

    async def _later(self, vouched: asyncio.Future[vouching.Vouched]) -> Response:
        guards = await vouched
        self.call.now = self.call.node.clock.now_ms()
        answer = self._commit(guards)
        return await answer if isinstance(answer, asyncio.Future) else answer

    def _commit(self, vouched: vouching.Vouched) -> Response | asyncio.Future[Response]:
        guard = next(iter(vouched.values()), None)
        if isinstance(guard, Refused):
            return self.respond(guard)
        call, request = self.call, self.request
        shard = call.node.groups.shard(request.group_id)  # who waited looks again
        if isinstance(shard, Refused):
            return self.respond(shard)
        commit = CommitRequest(
            request.group_id, request.member_id, request.group_instance_id, request.generation_id, self.new
        )
        producer = Producer(request.producer_id, request.producer_epoch, guard)
        return shard.ask(call.now, self.respond, shard.machine.commit_in_transaction, commit, producer)

    def respond(self, body: Any) -> Response:
        if isinstance(body, Refused):
            code = body.code
            if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and self.call.version < LOADING:
                code = ErrorCode.COORDINATOR_NOT_AVAILABLE
            for answer in self.answers:
                answer.error_code = code
        else:
            assert isinstance(body, Committed)
            for answer, verdict in zip(self.answers, body.codes, strict=True):
                answer.error_code = verdict
        return self.response

    def _translate(self, code: ErrorCode) -> Unverified:
        """What clients of this version understand of what the transaction's coordinator said."""
        if code is ErrorCode.PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        elif code is ErrorCode.TRANSACTION_ABORTABLE and self.call.version < TRANSACTION_ABORTABLE:
            code = ErrorCode.INVALID_TXN_STATE
        elif code is ErrorCode.NETWORK_EXCEPTION:
            code = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return Unverified(code)


def _refuse(request: Request, code: ErrorCode) -> Response:
    return Response(
        topics=[
            ResponseTopic(
                name=topic.name,
                partitions=[
                    ResponsePartition(partition_index=one.partition_index, error_code=code) for one in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
