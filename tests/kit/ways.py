"""One story, told to two brokers: one that takes all its short ways, one that takes none of them.

The broker without short ways is asked first, whole frames at a time; what was sent to it is kept. The other is sent the
same bytes, cut where the story says. Both get each frame's last byte in the same moment, so everything that clients can
see is the same, and so is the state, or one of them is wrong.

Switched off: moulds of either kind (requests are always decoded), the look at a header that passes for the whole
judgement of a usual batch, and marks that simply follow the log's end.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from kafkawire.batches import crc_ok, headers
from pykafkad import api
from pykafkad.api.call import Peer
from pykafkad.cluster.image import PartitionImage, TopicImage
from pykafkad.config import Config
from pykafkad.net import plain
from pykafkad.net.dispatch import Dispatcher
from pykafkad.net.listener import Server
from pykafkad.net.plain import Connection
from pykafkad.runtime.partition import Partition
from pykafkad.runtime.waits import Poll
from tests.kit.asking import TRANSACTIONAL, Ask, Fetch, Other, Script
from tests.kit.coordination import GroupBroker
from tests.kit.disk import MemoryDisk
from tests.kit.loop import run
from tests.kit.net import received
from tests.kit.net import settings as net_settings

REQUEST_MAX = 50_000
CONNECTIONS = 3
KINDS: dict[str, dict[str, Any]] = {
    "t": {"count": 2},
    "small": {"internal_segment_bytes": "900"},
    "stamped": {"message_timestamp_type": "LogAppendTime"},
    "packed": {"compression_type": "gzip"},
    "compact": {"cleanup_policy": "compact"},
    "synced": {"flush_messages": "3"},
    "copied": {"replicas": (1, 2), "isr": (1, 2)},
    "narrow": {"max_message_bytes": "150", "segment_ms": "5000"},
}
CHANGES = [
    {},
    {"max_message_bytes": "100"},
    {"message_timestamp_type": "LogAppendTime"},
    {"flush_messages": "2"},
    {"flush_ms": "500"},
    {"min_insync_replicas": "2"},
    {"compression_type": "lz4"},
    {"internal_segment_bytes": "700"},
    {"segment_ms": "1000"},
]
"""What a topic's settings may become; it is one of them at a time."""


class Read(NamedTuple):
    """What arrives together on one connection; ``held``: so many bytes of it with the next read; ``turns``: after so
    many turns of the loop the story goes on, whatever has come of it. None: when nothing more comes of it.
    """

    connection: int
    asks: tuple[Ask, ...]
    held: int = 0
    turns: int | None = None


class Do(NamedTuple):
    """What happens to the broker, or to a connection."""

    what: str
    topic: str = "t"
    number: int = 0


Step = Read | Do


class Sent(NamedTuple):
    """``whole``: the frames that end in this read; ``cut``: the bytes of it."""

    connection: int
    whole: bytes
    cut: bytes
    turns: int | None = None


class Told(NamedTuple):
    """What could be seen after one step."""

    heard: dict[int, bytes]
    closed: list[bool]
    open: int
    waiting: int
    marks: list[Any]


class Client:
    """One end of a connection."""

    def __init__(self, server: Server) -> None:
        ours, self._sock = socket.socketpair()
        for sock in (ours, self._sock):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        admitted = server.admit(ours, Peer(("192.0.2.1", 40000), ("192.0.2.9", 9092), "PLAINTEXT", "User:ANONYMOUS"))
        assert admitted is not None
        self.connection: Connection = admitted
        self._unsent = b""

    def send(self, data: bytes) -> None:
        self._unsent += data
        self.pump()

    def pump(self) -> bool:
        before = len(self._unsent)
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""
        return len(self._unsent) != before

    def receive(self) -> bytes:
        return received(self._sock) if self._sock.fileno() >= 0 else b""

    def hang_up(self) -> None:
        self._sock.close()


class Side:
    """A broker behind sockets, on the loop that runs."""

    def __init__(self, request_max: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.defects: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.defects.append(context))
        config = Config.load({"group.initial.rebalance.delay.ms": "0"})
        self.broker = broker = GroupBroker(disk=MemoryDisk(), config=config, transactions=1)
        for name, kind in KINDS.items():
            broker.add(name, **kind)
        broker.add("elsewhere", leader=2, replicas=(2,))
        dispatcher = Dispatcher(self.loop, broker.node, broker.metrics)
        dispatcher._defects._write = lambda event, **fields: self.defects.append((event, fields))  # type: ignore[method-assign]
        limits = net_settings(socket_request_max_bytes=request_max)
        self.server = Server(self.loop, limits, broker.clock, broker.metrics, dispatcher)
        self.server.complaints._write = lambda event, **fields: None
        self.clients: dict[int, Client] = {}
        self.generation = 0
        self.open()

    def open(self) -> None:
        """As a broker does beside everything else: when exactly is nobody's business."""
        for name, topic in self.broker.topics.items():
            for index in range(len(topic.partitions)):
                self.broker.partitions.get(name, index)

    def connect(self, number: int) -> None:
        if (before := self.clients.get(number)) is not None:
            before.hang_up()
        self.clients[number] = Client(self.server)

    async def settle(self, heard: dict[int, bytes]) -> None:
        """Until nobody has anything to say unless time passes. It hardly does."""
        busy = True
        while busy:
            await asyncio.sleep(0.001)
            busy = False
            for number, client in self.clients.items():
                more = client.receive()
                heard[number] = heard.get(number, b"") + more
                busy = client.pump() or bool(more) or busy

    async def do(self, step: Do) -> None:
        broker, topic = self.broker, step.topic
        known = broker.topics.get(topic)
        partition = broker.partitions.local(topic, 0)
        match step.what:
            case "pass":
                await asyncio.sleep((0.27, 3.03, 61.01)[step.number % 3])
            case "overdue":
                for _ in broker.transactions.abort_overdue(broker.clock.now_ms()):
                    pass
            case "drop" if known is not None:
                broker.drop(topic)
            case "again":
                if known is not None:
                    broker.drop(topic)
                self.generation += 1
                broker.add(topic, generation=self.generation, **KINDS[topic])
            case "settings" if known is not None:
                broker.configs[2, topic] = dict(
                    {key.replace("_", "."): value for key, value in KINDS[topic].items() if isinstance(value, str)},
                    **{key.replace("_", "."): value for key, value in CHANGES[step.number % len(CHANGES)].items()},
                )
                broker.publish()
            case "roll" if partition is not None:
                partition.log.roll(broker.clock.now_ms())
            case "retain" if partition is not None:
                partition.retain(broker.clock.now_ms() + 30 * 24 * 3_600_000)
            case "leave" | "return" | "shrink" | "grow" if known is not None:
                image = known.partitions[0]
                leader, isr, epoch = image.leader, image.isr, image.leader_epoch
                if step.what in ("leave", "return"):
                    leader, epoch = (2 if step.what == "leave" else 1), epoch + 1
                elif 2 in image.replicas:
                    isr = (1,) if step.what == "shrink" else (1, 2)
                replicas = tuple(sorted({*image.replicas, leader}))
                changed = PartitionImage(replicas, isr, leader, epoch, image.partition_epoch + 1)
                broker.topics[topic] = TopicImage(topic, known.id, (changed,) * len(known.partitions))
                broker.publish()
            case "chill" if partition is not None:
                folder = partition.log.directory
                broker.disk.cold |= {f"{folder}/{name}" for name in broker.disk.list(folder)}
            case "trust" | "doubt":
                broker.set_broker(transaction_partition_verification_enable=str(step.what == "doubt").lower())
            case "full":
                broker.disk.capacity = 0
            case "room":
                broker.disk.capacity = None
            case "hang up":
                if (client := self.clients.pop(step.number % CONNECTIONS, None)) is not None:
                    client.hang_up()

    # -- what can be seen --------------------------------------------------------------------------------------------

    def partitions(self) -> list[Partition]:
        return sorted(self.broker.partitions.all(), key=lambda one: (one.topic, one.index))

    def marks(self) -> list[Any]:
        found = []
        for one in self.partitions():
            log = one.log
            marks = [log.start_offset, one.last_stable_offset, one.high_watermark, one.durable_end, log.end_offset]
            assert marks == sorted(marks) or not one.leads, (one, marks)
            found.append((f"{one.topic}-{one.index}", *marks))
        return found

    def closed(self) -> list[bool]:
        return [client.connection.closed for client in self.clients.values()]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.partitions():
            name, log = f"{one.topic}-{one.index}", one.log
            found[f"segments {name}"] = [segment.base_offset for segment in log.segments]
            found[f"aborted {name}"] = log.aborted(log.start_offset, log.end_offset)
            producers = one.producers
            found[f"producers {name}"] = (
                sorted(producers.snapshot()),
                [
                    (producer_id, known.window, known.txn_first_offset)
                    for producer_id, known in sorted(producers._producers.items())
                ],
            )
            found[f"guards {name}"] = {
                producer_id: (guard.epoch, guard.lowest_sequence, guard.epoch_bumps)
                for producer_id, guard in producers.guards._by_producer.items()
            }
            found[f"open {name}"] = dict(producers._open), dict(producers._ended)
            found[f"waiting {name}"] = one.waiting, len(one.growers()), one.storage_failed, log.place.health.refusal
        found["sessions"] = [
            (one.id, one.epoch, one.used, w.topic, w.index, w.fetch_offset, w.max_bytes, w.high_watermark)
            for one in self.broker.node.fetch_sessions._sessions.values()
            for w in one.partitions.values()
        ]
        found["files"] = dict(self.files("/"))
        found["counters"] = {
            (name, labels): cell.value
            for name, cells in self.broker.metrics.counters.items()
            for labels, cell in cells.items()
            if cell.value and name != "kafka_network_socketserver_bytes_received_total"  # some after a connection's end
        }
        found["observed"] = {
            (name, labels): sum(summary.read()[0])
            for name, by_labels in self.broker.metrics.summaries.items()
            for labels, summary in by_labels.items()
        }
        return found

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        disk = self.broker.disk
        for name in disk.list(folder):
            path = f"{folder.rstrip('/')}/{name}"
            if disk.is_directory(path):
                yield from self.files(path)
            else:
                yield path, (data := disk.read(path))
                assert not path.endswith(".log") or all(crc_ok(data, header) for header in headers(data)), path

    def close(self) -> None:
        for client in self.clients.values():
            client.hang_up()
        for connection in list(self.server.connections):
            connection.close()
        self.broker.groups.stop()
        self.broker.transactions.stop()


Action = Sent | Do | int
"""A connection's number: it is connected (anew)."""


class _Scribe:
    """Makes a story's frames while the first broker is asked, and keeps what was sent."""

    def __init__(self, side: Side) -> None:
        self.script = Script(side.broker)
        self.side = side
        self.begun: dict[int, bytes] = {}  # of a frame whose end comes later
        self.pieces: dict[int, bytes] = {}

    def actions(self, step: Step) -> Iterator[Action]:
        if isinstance(step, Do):
            if step.what == "hang up":
                self.begun.pop(step.number % CONNECTIONS, None)
            yield step
            return
        number = step.connection
        client = self.side.clients.get(number)
        if client is None or client.connection.closed:
            self.script.connected(number)
            self.begun[number] = self.pieces[number] = b""
            yield number
        self.script.turn()
        yield self.sent(number, [self.script.frame(number, ask) for ask in step.asks], step.held, step.turns)

    def sent(self, number: int, frames: Sequence[bytes], held: int, turns: int | None = None) -> Sent:
        """``begun``: whole frames of which only a part was sent where frames are cut; ``pieces``: the rest of them."""
        stream = self.begun[number] + b"".join(frames)
        if any(len(frame) > self.side.server.frame_max for frame in frames):  # refused as soon as its size is known
            held = 0
        cut = len(stream) - min(held, max(len(stream) - 1, 0))
        whole = 0
        while whole + 4 <= cut and whole + 4 + int.from_bytes(stream[whole : whole + 4], "big") <= cut:
            whole += 4 + int.from_bytes(stream[whole : whole + 4], "big")
        said = len(self.begun[number]) - len(self.pieces[number])
        cut = max(cut, said)
        piece = stream[said:cut]
        self.begun[number], self.pieces[number] = stream[whole:], stream[cut:]
        # Who is sent other bytes may read them in another turn.
        return Sent(number, stream[:whole], piece, turns if stream[:whole] == piece else None)

    def rest(self) -> Iterator[Action]:
        for number in list(self.begun):
            client = self.side.clients.get(number)
            if self.begun[number] and client is not None and not client.connection.closed:
                yield self.sent(number, [], 0)


async def _act(side: Side, action: Action, *, cut: bool) -> Told:
    heard: dict[int, bytes] = {}
    if isinstance(action, int):
        side.connect(action)
    elif isinstance(action, Do):
        await side.do(action)
        side.open()
    elif data := action.cut if cut else action.whole:
        side.clients[action.connection].send(data)
    if isinstance(action, Sent) and action.turns is not None:
        for _ in range(action.turns):
            await asyncio.sleep(0)
    else:
        await side.settle(heard)
    return Told(heard, side.closed(), len(side.server.connections), side.server.waiting, side.marks())


PRELUDE: tuple[Step, ...] = (Read(0, tuple(Other("init", who) for who in TRANSACTIONAL)), Do("pass"))
_LOOKS = tuple(
    Fetch(where, version=12, topics=((topic, index),), max_bytes=1 << 20, committed=committed)
    for topic, index in (*((name, 0) for name in KINDS), ("t", 1))
    for where in ("start", "middle")
    for committed in (True, False)
)
_OFFSETS = tuple(Other("offsets", topic=topic, number=number) for topic in KINDS for number in range(6))
CODA: tuple[Step, ...] = (
    Do("room"),
    *(Do("pass"),) * 4,
    Do("pass", number=1),
    *(Do("hang up", number=number) for number in range(CONNECTIONS)),
    Read(CONNECTIONS, _LOOKS),
    Read(CONNECTIONS, _OFFSETS),
)


class Outcome(NamedTuple):
    actions: list[Action]
    told: list[Told]
    state: dict[str, Any]
    defects: list[Any]


async def _ask(steps: Sequence[Step], request_max: int) -> Outcome:
    """Tell a story to a broker, and keep what was sent."""
    side = Side(request_max)
    scribe = _Scribe(side)
    actions: list[Action] = []
    told: list[Told] = []

    async def act(some: Iterator[Action]) -> None:
        for action in some:
            actions.append(action)
            told.append(await _act(side, action, cut=False))
            for number, heard in told[-1].heard.items():
                scribe.script.hear(number, heard)

    try:
        for step in (*PRELUDE, *steps):
            await act(scribe.actions(step))
        await act(scribe.rest())
        for step in CODA:
            await act(scribe.actions(step))
        return Outcome(actions, told, side.state(), side.defects)
    finally:
        side.close()


async def _repeat(actions: Sequence[Action], request_max: int) -> Outcome:
    side = Side(request_max)
    try:
        told = [await _act(side, action, cut=True) for action in actions]
        return Outcome(list(actions), told, side.state(), side.defects)
    finally:
        side.close()


# -- the switch ------------------------------------------------------------------------------------------------------


@contextmanager
def _patched(handler: Callable[[api.Handler], api.Handler]) -> Iterator[pytest.MonkeyPatch]:
    load = api.load

    def loaded(key: int) -> api.Handler | None:
        found = load(key)
        return None if found is None else handler(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "load", loaded)
        patch.setattr(plain, "TURN_SECONDS", 1e9)  # how busy the machine is decides nothing
        patch.setattr(plain, "AHEAD_MAX", 1 << 20)  # nor in which turn of the loop the rest of a long wait is read
        yield patch


def _ordinary(patch: pytest.MonkeyPatch) -> None:
    refresh = Partition._refresh

    def refreshed(partition: Partition) -> None:
        refresh(partition)
        partition._follows = partition._follows_in_transactions = False

    patch.setattr(Partition, "_refresh", refreshed)
    patch.setattr(Partition, "_usual", lambda partition, *arguments: None)


class _Counting:
    """A short way that counts how often it was taken."""

    def __init__(self, way: Any, taken: Counter[str]) -> None:
        self._way, self._taken = way, taken
        self.learn = way.learn

    def serve(self, call: Any, mould: Any, *arguments: Any) -> Any:
        served = self._way.serve(call, mould, *arguments)
        name = "produce" if call.api_key == 0 else "fetch"
        if served is None:
            self._taken[f"{name} after all the ordinary way"] += 1
            return None
        self._taken[name] += 1
        if call.api_key == 0:
            self._taken["produce of several"] += len(arguments[1]) > 1
            self._taken["produce in transactions"] += mould.transactional_id is not None
        else:
            self._taken["fetch in a session"] += mould.session_id > 0
            self._taken["fetch that waits"] += isinstance(served, Poll)
        return served


Plant = Callable[[pytest.MonkeyPatch], None]


def compare(
    steps: Sequence[Step], taken: Counter[str], plant: Plant | None = None, request_max: int = REQUEST_MAX
) -> None:
    """Tell it to both. ``taken`` counts the short ways; ``plant`` is a bug for the broker that takes them."""
    with _patched(lambda handler: handler._replace(again=None, repeat=None)) as patch:
        _ordinary(patch)
        expected = run(_ask(steps, request_max))

    def counting(handler: api.Handler) -> api.Handler:
        return handler._replace(
            again=handler.again and _Counting(handler.again, taken),
            repeat=handler.repeat and _Counting(handler.repeat, taken),
        )

    with _patched(counting) as patch:
        if plant is not None:
            plant(patch)
        found = run(_repeat(expected.actions, request_max))
    assert expected.defects == found.defects == []
    for number, (action, short, long) in enumerate(zip(expected.actions, found.told, expected.told, strict=True)):
        assert short == long, (number, action)
    for what, value in expected.state.items():
        assert found.state[what] == value, what
    assert found.state.keys() == expected.state.keys()
