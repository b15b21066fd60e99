"""Where movers take from: partitions that their group shares among them, or a lane of one's own."""

from __future__ import annotations

from typing import Any, Protocol

from conformance.checking.asynchronous import Reader
from conformance.checking.history import Read
from conformance.checking.process import GROUP, LANE, LANE_GROUP, MOVED, Setting
from conformance.checking.readers import committed, make_consumer


class Source(Protocol):
    def take(self, most: int) -> list[Read] | None:
        """What comes next, in a moment or never; None: nobody knows whose it is, so that one has to rewind."""

    def member(self) -> Any:
        """On whose behalf offsets are committed, in the words of the producer's client."""

    def rewind(self) -> bool:
        """Back to the offsets of the group. Whether that could be done; if not, ask again."""

    def close(self) -> None: ...


class Subscribed:
    """A member of the group, by librdkafka. The group's offsets are told once no transaction can change them any more,
    and whoever commits on behalf of a member that isn't one any more is refused (KIP-447).
    """

    def __init__(self, setting: Setting) -> None:
        from confluent_kafka import Consumer

        self._mine: list[Any] = []
        self._changed = True
        self._consumer = Consumer(
            {
                "bootstrap.servers": setting.bootstrap,
                "group.id": GROUP,
                "session.timeout.ms": 2_000,
                "heartbeat.interval.ms": 300,
                "max.poll.interval.ms": 8_000,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "retry.backoff.ms": 20,
                "log_level": 0,
            }
        )
        self._consumer.subscribe([MOVED], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self._mine, self._changed = partitions, True

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:
        self._mine, self._changed = [], True

    def take(self, most: int) -> list[Read] | None:
        self._changed = False
        messages: list[Any] = self._consumer.consume(most, 0.1)
        if self._changed:  # some of these may be of partitions that are another's by now
            return None
        return [
            Read((one.topic(), one.partition()), one.offset(), one.value().decode())
            for one in messages
            if not one.error()
        ]

    def member(self) -> Any:
        return self._consumer.consumer_group_metadata()

    def rewind(self) -> bool:
        from confluent_kafka import OFFSET_BEGINNING, KafkaException

        mine = self._mine
        if not mine:
            return True
        try:
            for one in self._consumer.committed(mine, timeout=5):
                one.offset = one.offset if one.offset >= 0 else OFFSET_BEGINNING
                self._consumer.seek(one)
        except KafkaException:
            return not self._consumer.assignment()
        return True

    def close(self) -> None:
        self._consumer.close()


class Lane:
    """A partition that is its mover's alone, by aiokafka. It is how things were moved before KIP-447: the group has no
    members, and whoever goes on under the same transactional id has ended what its predecessor left open before it
    asks for the offsets.
    """

    def __init__(self, setting: Setting) -> None:
        self._reader = Reader(setting.bootstrap)
        # aiokafka 0.14 takes a coordinator that is still loading for a group without offsets.
        self._group = make_consumer(setting.bootstrap, committed=True, group=LANE_GROUP)

    def take(self, most: int) -> list[Read]:
        return self._reader.poll(most)

    def member(self) -> str:
        return LANE_GROUP

    def rewind(self) -> bool:
        lane = LANE, 0
        offsets = committed(self._group, [lane])
        if offsets is None:
            return False
        self._reader.assign({lane: offsets.get(lane, 0)})
        return True

    def close(self) -> None:
        self._reader.close()
        self._group.close()
