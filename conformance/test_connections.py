"""Connections of peers that behave legally but oddly: slow, hasty, half closed, never reading; both brokers bear them.

Raw sockets: no client library does these things on purpose, but networks, proxies, scripts and dying processes do.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from conformance.arrange import Arranger
from conformance.brokers import Broker
from conformance.clients import eventually
from kafkawire import codec
from kafkawire.api import api_versions, fetch, list_offsets, metadata, produce
from kafkawire.headers import read_response_header, request_frame
from kafkawire.keys import response_class
from kafkawire.records import build

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 0, 1, 2, 3, 18
SAID_IN = {PRODUCE: 9, FETCH: 11, LIST_OFFSETS: 5, METADATA: 9, API_VERSIONS: 3}  # the versions used here
pytestmark = pytest.mark.timeout(120)


def request(key: int, correlation: int, message: object) -> bytes:
    return b"".join(bytes(piece) for piece in request_frame(key, SAID_IN[key], correlation, "odd", message))


def answer(key: int, body: bytes) -> object:
    return codec.decode(response_class(key), SAID_IN[key], body[read_response_header(key, SAID_IN[key], body)[1] :])


class Peer:
    def __init__(self, bootstrap: str, *, window: int | None = None) -> None:
        host, port = bootstrap.rsplit(":", 1)
        self.sock = socket.socket()
        if window is not None:  # before the connection is there, or it isn't heeded
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.sock.settimeout(30)
        self.sock.connect((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exactly(self, size: int) -> bytes | None:
        """None when the broker closed."""
        data = bytearray()
        while len(data) < size:
            try:
                more = self.sock.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return bytes(data)

    def receive(self) -> bytes | None:
        head = self.exactly(4)
        return None if head is None else self.exactly(struct.unpack(">i", head)[0])

    def correlations(self, count: int) -> list[int]:
        """Of as many answers as come, at most `count`."""
        found = []
        while len(found) < count and (body := self.receive()) is not None:
            found.append(struct.unpack_from(">i", body)[0])
        return found


@contextlib.contextmanager
def peer(broker: Broker, *, window: int | None = None) -> Iterator[Peer]:
    made = Peer(broker.bootstrap, window=window)
    with made.sock:
        yield made


def asked_for_versions(correlation: int) -> bytes:
    asked = api_versions.Request(client_software_name="odd", client_software_version="1")
    return request(API_VERSIONS, correlation, asked)


def asked_for_topics(correlation: int, *names: str) -> bytes:
    topics = [metadata.RequestTopic(name=name) for name in names]
    return request(METADATA, correlation, metadata.Request(topics=topics, allow_auto_topic_creation=False))


def produced(correlation: int, topic: str, value: bytes, *, acks: int = -1, partitions: int = 1) -> bytes:
    batch = build([(b"k", value)], timestamp=int(time.time() * 1000))
    data = [produce.PartitionProduceData(index=p, records=batch) for p in range(partitions)]
    topics = [produce.TopicProduceData(name=topic, partition_data=data)]
    return request(PRODUCE, correlation, produce.Request(acks=acks, timeout_ms=10_000, topic_data=topics))


def fetched(correlation: int, topic: str, offset: int, *, wait_ms: int = 0, most: int = 1 << 20) -> bytes:
    partition = fetch.Partition(partition=0, fetch_offset=offset, partition_max_bytes=most)
    topics = [fetch.Topic(topic=topic, partitions=[partition])]
    asked = fetch.Request(max_wait_ms=wait_ms, min_bytes=1, max_bytes=most, topics=topics)
    return request(FETCH, correlation, asked)


def served(broker: Broker) -> None:
    """Somebody else is answered, and soon."""
    with peer(broker) as other:
        other.sock.settimeout(10)
        other.sock.sendall(asked_for_versions(1))
        assert other.correlations(1) == [1]


def end_of(broker: Broker, topic: str) -> int:
    with peer(broker) as other:
        where = list_offsets.Topic(name=topic, partitions=[list_offsets.Partition(partition_index=0, timestamp=-1)])
        other.sock.sendall(request(LIST_OFFSETS, 1, list_offsets.Request(replica_id=-1, topics=[where])))
        body = other.receive()
        assert body is not None
        return int(answer(LIST_OFFSETS, body).topics[0].partitions[0].offset)  # type: ignore[attr-defined]


def test_one_byte_at_a_time(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with peer(broker) as slow:
        for byte in asked_for_versions(1) + produced(2, topic, b"drop by drop") + asked_for_topics(3, topic):
            slow.sock.sendall(bytes([byte]))
        assert slow.correlations(3) == [1, 2, 3]
    assert end_of(broker, topic) == 1


def test_pieces_that_know_no_frames(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    chance = random.Random(1)
    stream = b"".join(produced(i, topic, chance.randbytes(chance.randrange(5000))) for i in range(200))
    with peer(broker) as cut:
        position = 0
        while position < len(stream):
            size = chance.choice([1, 3, 4, 5, 100, 1000, 20_000])
            cut.sock.sendall(stream[position : position + size])
            position += size
        assert cut.correlations(200) == list(range(200))
    assert end_of(broker, topic) == 200


def test_a_thousand_requests_ahead(broker: Broker, admin: Arranger, topic: str) -> None:
    """All at once, of several kinds: each is answered, in order."""
    admin.create(topic, 1)
    kinds = [
        lambda i: asked_for_versions(i),
        lambda i: asked_for_topics(i, topic),
        lambda i: produced(i, topic, b"%d" % i),
        lambda i: fetched(i, topic, 0, most=1000),
    ]
    stream = b"".join(kinds[i % 4](i) for i in range(1000))
    with peer(broker) as hasty:
        hasty.sock.sendall(stream)
        assert hasty.correlations(1000) == list(range(1000))
    assert end_of(broker, topic) == 250


def test_requests_behind_a_long_poll_wait_for_it(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with peer(broker) as patient:
        patient.sock.sendall(fetched(1, topic, 0, wait_ms=800) + b"".join(asked_for_versions(i) for i in range(2, 300)))
        assert patient.correlations(299) == list(range(1, 300))


def test_half_closed_behind_a_request(broker: Broker) -> None:
    with peer(broker) as leaving:
        leaving.sock.sendall(asked_for_versions(1))
        leaving.sock.shutdown(socket.SHUT_WR)
        assert leaving.correlations(2) == [1]


@pytest.mark.parametrize("count", [10, 300, 3000])
def test_half_closed_behind_many_requests(broker: Broker, admin: Arranger, topic: str, count: int) -> None:
    admin.create(topic, 1)
    with peer(broker) as leaving:
        leaving.sock.sendall(b"".join(asked_for_topics(i, topic) for i in range(count)))
        leaving.sock.shutdown(socket.SHUT_WR)
        assert leaving.correlations(count + 1) == list(range(count))


def test_half_closed_behind_a_long_poll(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with peer(broker) as leaving:
        leaving.sock.sendall(fetched(1, topic, 0, wait_ms=500) + asked_for_versions(2))
        leaving.sock.shutdown(socket.SHUT_WR)
        assert leaving.correlations(3) == [1, 2]


@pytest.mark.parametrize("count", [10, 300])
def test_closed_behind_unacknowledged_records(broker: Broker, admin: Arranger, topic: str, count: int) -> None:
    """acks=0 and goodbye: what arrived before the end is stored."""
    admin.create(topic, 1)
    with peer(broker) as leaving:
        leaving.sock.sendall(b"".join(produced(i, topic, b"%d" % i, acks=0) for i in range(count)))
    eventually(lambda: end_of(broker, topic) == count, f"{count} records are stored", timeout=10)


def test_gone_in_the_middle_of_a_request(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    whole = produced(1, topic, b"never" * 1000)
    for size in (1, 3, 4, 8, 50, 1000, len(whole) - 1):
        with peer(broker) as dying:
            dying.sock.sendall(whole[:size])
    served(broker)
    assert end_of(broker, topic) == 0


def test_reset_in_the_middle_of_answers(broker: Broker, admin: Arranger, topic: str) -> None:
    """SO_LINGER 0: the peer's kernel answers the broker's bytes with RST."""
    admin.create(topic, 1)
    for _ in range(50):
        with peer(broker) as rude:
            rude.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.sock.sendall(b"".join(asked_for_topics(i, topic) for i in range(20)))
    served(broker)


def test_a_slow_reader_gets_all(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    value = random.Random(1).randbytes(900_000)
    with peer(broker) as writer:
        writer.sock.sendall(produced(1, topic, value))
        assert writer.correlations(1) == [1]
    with peer(broker, window=8192) as slow:
        slow.sock.sendall(b"".join(fetched(i, topic, 0) for i in range(8)))
        for i in range(8):
            head = slow.exactly(4)
            assert head is not None
            left = struct.unpack(">i", head)[0]
            body = bytearray()
            while left:
                piece = slow.exactly(min(left, 50_000))
                assert piece is not None
                body += piece
                left -= len(piece)
                time.sleep(0.002)
            assert struct.unpack_from(">i", body)[0] == i
            assert value in body
        served(broker)


def test_one_that_never_reads_harms_nobody(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with peer(broker) as writer:
        writer.sock.sendall(produced(1, topic, random.Random(2).randbytes(1_000_000)))
        assert writer.correlations(1) == [1]
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(peer(broker, window=4096))
            deaf.sock.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                deaf.sock.sendall(b"".join(fetched(i, topic, 0) for i in range(5000)))
        for _ in range(5):
            served(broker)
    served(broker)


def test_writing_and_reading_at_once(broker: Broker, admin: Arranger, topic: str) -> None:
    """One thread only sends, one only reads, on the same connection."""
    admin.create(topic, 1)
    with peer(broker) as busy:

        def send() -> None:
            for i in range(2000):
                busy.sock.sendall(produced(i, topic, b"x" * 200))

        sender = threading.Thread(target=send)
        sender.start()
        found = busy.correlations(2000)
        sender.join()
    assert found == list(range(2000))
    assert end_of(broker, topic) == 2000


def test_many_unknown_topics_in_one_request(broker: Broker, topic: str) -> None:
    names = [f"{topic}-{i}" for i in range(5000)]
    with peer(broker) as curious:
        curious.sock.sendall(asked_for_topics(1, *names))
        body = curious.receive()
        assert body is not None
        topics = answer(METADATA, body).topics  # type: ignore[attr-defined]
    assert {t.name: t.error_code for t in topics} == dict.fromkeys(names, 3)


def test_many_partitions_in_one_request(broker: Broker, admin: Arranger, topic: str) -> None:
    admin.create(topic, 200)
    with peer(broker) as busy:
        busy.sock.sendall(produced(1, topic, b"everywhere", partitions=201))
        body = busy.receive()
        assert body is not None
        (found,) = answer(PRODUCE, body).responses  # type: ignore[attr-defined]
    said = {p.index: (p.error_code, p.base_offset) for p in found.partition_responses}
    assert said == dict.fromkeys(range(200), (0, 0)) | {200: (3, -1)}


def test_five_hundred_connections_at_once(broker: Broker) -> None:
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(peer(broker)) for _ in range(500)]
        for i, each in enumerate(all_of_them):
            each.sock.sendall(asked_for_versions(i))
        for i, each in reversed(list(enumerate(all_of_them))):
            assert each.correlations(1) == [i]
