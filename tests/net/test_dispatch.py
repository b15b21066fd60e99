"""Dispatch: every way in which a request can end, from frames to frames over a hand-cranked loop."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from kafkawire.api import api_versions, heartbeat, metadata, produce
from kafkawire.codec import decode
from kafkawire.errors import ErrorCode, WireError
from kafkawire.headers import read_response_header, request_frame, write_request_header
from pykafkad import api
from pykafkad.api.call import Call, CloseConnection
from pykafkad.net.dispatch import Dispatcher
from tests.kit.net import Harness, ended, framed, received

Handle = Any


class Net(Harness):
    """A harness with the real dispatcher, and handlers that the test gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.handlers: dict[int, Handle] = {}
        self.calls: list[Call] = []
        self.failures: list[dict[str, Any]] = []
        self.real = asyncio.new_event_loop()
        node: Any = SimpleNamespace()
        self.server.dispatcher = Dispatcher(self.real, node, self.metrics)
        self.server.dispatcher._defects._write = lambda event, **fields: self.failures.append(fields)
        load = api.load

        def loaded(key: int) -> api.Handler | None:
            found = load(key)
            assert found is not None
            handle = self.handlers.get(key)
            return found if handle is None else found._replace(handle=handle)

        monkeypatch.setattr(api, "load", loaded)

    def on(self, key: int, handle: Handle) -> None:
        self.handlers[key] = handle

    def spin(self) -> None:
        """Let futures of the real loop call back, and the hand-cranked one settle."""
        for _ in range(3):
            self.real.run_until_complete(asyncio.sleep(0))
            self.loop.settle()

    def close(self) -> None:
        super().close()
        self.spin()
        self.real.close()


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    made = Net(monkeypatch)
    yield made
    made.close()


def request(key: int, version: int, message: Any, correlation: int = 1, client: str | None = "tester") -> bytes:
    return b"".join(map(bytes, request_frame(key, version, correlation, client, message)))  # type: ignore[arg-type]


def answers(client: socket.socket, key: int, version: int, cls: type[Any]) -> list[tuple[int, Any]]:
    found, data = [], received(client)
    while data:
        (size,) = struct.unpack_from(">i", data)
        correlation, position = read_response_header(key, version, data[4 : 4 + size])
        found.append((correlation, decode(cls, version, data[4 + position : 4 + size])))
        data = data[4 + size :]
    return found


def beat(error: int = 0) -> heartbeat.Response:
    return heartbeat.Response(error_code=error)


def test_a_plain_answer(net: Net) -> None:
    def handle(call: Call, asked: heartbeat.Request) -> heartbeat.Response:
        net.calls.append(call)
        assert asked.group_id == "g"
        return beat(27)

    net.on(12, handle)
    client, _ = net.connect()
    client.send(request(12, 4, heartbeat.Request(group_id="g"), 7) + request(12, 0, heartbeat.Request(group_id="g"), 8))
    net.loop.settle()
    first, second = received(client)[:16], b""
    assert first[4:8] == struct.pack(">i", 7) and second == b""
    call = net.calls[0]
    assert (call.version, call.client_id, call.api_key, call.now) == (4, "tester", 12, 1_700_000_000_000)
    assert call.peer.address == ("192.0.2.1", 40000) and call.peer.local_address == ("192.0.2.9", 9092)
    assert net.counted("kafka_network_requestmetrics_requests_total", "Heartbeat", "4") == 1


@pytest.mark.parametrize("client_id", [None, "", "näme", "x" * 300])
def test_client_ids(net: Net, client_id: str | None) -> None:
    net.on(12, lambda call, asked: net.calls.append(call) or beat())
    client, _ = net.connect()
    for known in (client_id, "other", client_id):
        client.send(request(12, 4, heartbeat.Request(group_id="g"), 1, known))
    net.loop.settle()
    assert [call.client_id for call in net.calls] == [client_id or "", "other", client_id or ""]


def test_a_client_id_may_be_any_bytes(net: Net) -> None:
    net.on(12, lambda call, asked: net.calls.append(call) or beat())
    client, _ = net.connect()
    client.send(framed(request(12, 4, heartbeat.Request(group_id="g"), 1, "??")[4:].replace(b"??", b"n\xe4")))
    net.loop.settle()
    assert [call.client_id for call in net.calls] == ["n\N{REPLACEMENT CHARACTER}"]


def test_a_header_may_have_tagged_fields(net: Net) -> None:
    net.on(12, lambda call, asked: beat())
    body = request(12, 4, heartbeat.Request(group_id="g"))[4:]
    at = len(write_request_header(12, 4, 1, "tester")) - 1
    tagged = body[:at] + b"\x01\x05\x03abc" + body[at + 1 :]
    client, _ = net.connect()
    client.send(framed(tagged))
    net.loop.settle()
    assert answers(client, 12, 4, heartbeat.Response) == [(1, beat())]


def test_bytes_behind_a_request_are_ignored_as_kafka_does(net: Net) -> None:
    net.on(12, lambda call, asked: beat())
    client, _ = net.connect()
    client.send(framed(request(12, 4, heartbeat.Request(group_id="g"))[4:] + b"\x01\x00\x00"))
    net.loop.settle()
    assert answers(client, 12, 4, heartbeat.Response) == [(1, beat())]


def test_answers_that_take_their_time_keep_the_order(net: Net) -> None:
    futures: list[asyncio.Future[heartbeat.Response]] = []

    def later(call: Call, asked: heartbeat.Request) -> asyncio.Future[heartbeat.Response]:
        future: asyncio.Future[heartbeat.Response] = net.real.create_future()
        futures.append(future)
        return future

    net.on(12, later)
    client, _ = net.connect()
    client.send(b"".join(request(12, 4, heartbeat.Request(group_id="g"), number) for number in range(3)))
    for error in range(3):
        net.spin()
        assert len(futures) == error + 1, "one request at a time"
        futures[error].set_result(beat(error))
    net.spin()
    assert answers(client, 12, 4, heartbeat.Response) == [(number, beat(number)) for number in range(3)]


def test_let_next_starts_the_next_and_a_done_future_is_an_answer(net: Net) -> None:
    futures: list[asyncio.Future[heartbeat.Response]] = []

    def later(call: Call, asked: heartbeat.Request) -> asyncio.Future[heartbeat.Response]:
        future: asyncio.Future[heartbeat.Response] = net.real.create_future()
        futures.append(future)
        if asked.group_id == "done":
            future.set_result(beat(9))
        call.let_next()
        return future

    net.on(12, later)
    client, _ = net.connect()
    for number, group in enumerate(("wait", "wait", "done")):
        client.send(request(12, 4, heartbeat.Request(group_id=group), number))
    net.spin()
    assert len(futures) == 3 and received(client) == b""
    futures[1].set_result(beat(1))
    net.spin()
    assert received(client) == b""
    futures[0].set_result(beat(0))
    net.spin()
    assert answers(client, 12, 4, heartbeat.Response) == [(0, beat(0)), (1, beat(1)), (2, beat(9))]


def test_a_coroutine_is_a_task_and_its_records_are_its_own(net: Net) -> None:
    seen: list[bytes] = []
    gate = net.real.create_future()

    async def handle(call: Call, asked: produce.Request) -> produce.Response:
        await gate
        seen.append(bytes(asked.topic_data[0].partition_data[0].records))
        return produce.Response()

    net.on(0, handle)
    data = [produce.TopicProduceData(name="t", partition_data=[produce.PartitionProduceData(records=b"r" * 100)])]
    client, _ = net.connect()
    other, _ = net.connect()
    client.send(request(0, 9, produce.Request(acks=1, topic_data=data)))
    net.spin()
    other.send(framed(b"\x00\x0c" + b"\xff" * 400))
    net.spin()
    gate.set_result(None)
    net.spin()
    assert seen == [b"r" * 100]
    assert len(answers(client, 0, 9, produce.Response)) == 1


def test_a_future_is_cancelled_when_its_connection_is_closed_and_a_task_is_not(net: Net) -> None:
    future: asyncio.Future[Any] = net.real.create_future()
    gate: asyncio.Future[Any] = net.real.create_future()
    done: list[bool] = []

    async def slow(call: Call, asked: Any) -> metadata.Response:
        await gate
        done.append(True)
        return metadata.Response()

    net.on(12, lambda call, asked: future)
    net.on(3, slow)
    first, one = net.connect()
    second, two = net.connect()
    first.send(request(12, 4, heartbeat.Request(group_id="g")))
    second.send(request(3, 4, metadata.Request()))
    net.spin()
    assert net.server.waiting == 2
    one.close()
    two.close()
    net.spin()
    assert future.cancelled() and not done
    gate.set_result(None)
    net.spin()
    assert done and net.server.waiting == 0 and not net.failures


def test_an_api_that_cannot_be_loaded_closes_the_connection(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(key: int) -> None:
        raise ImportError("half an installation")

    monkeypatch.setattr(api, "load", load)
    client, connection = net.connect()
    client.send(request(12, 4, heartbeat.Request(group_id="g")))
    net.spin()
    assert connection.closed and [failure["api"] for failure in net.failures] == ["Heartbeat"]


def test_no_answer_is_no_answer(net: Net) -> None:
    net.on(0, lambda call, asked: None)
    net.on(12, lambda call, asked: beat())
    client, _ = net.connect()
    client.send(request(0, 9, produce.Request(acks=0), 1) + request(12, 4, heartbeat.Request(group_id="g"), 2))
    net.loop.settle()
    assert answers(client, 12, 4, heartbeat.Response) == [(2, beat())]


@pytest.mark.parametrize("waits", [False, True])
def test_a_defect_is_answered_logged_once_and_counted(net: Net, waits: bool) -> None:
    def broken(call: Call, asked: Any) -> Any:
        if waits:
            future = net.real.create_future()
            future.set_exception(KeyError("a bug"))
            net.real.call_soon(lambda: None)
            return asyncio.ensure_future(failing(), loop=net.real)
        raise KeyError("a bug")

    async def failing() -> None:
        raise KeyError("a bug")

    net.on(12, broken if not waits else lambda call, asked: failing())
    client, _ = net.connect()
    client.send(b"".join(request(12, 4, heartbeat.Request(group_id="g"), number) for number in range(50)))
    for _ in range(60):
        net.spin()
    unknown = int(ErrorCode.UNKNOWN_SERVER_ERROR)
    assert answers(client, 12, 4, heartbeat.Response) == [(number, beat(unknown)) for number in range(50)]
    assert len(net.failures) == 1
    assert net.failures[0]["api"] == "Heartbeat" and "group_id='g'" in net.failures[0]["request"]
    assert net.counted("kafka_network_requestmetrics_errors_total", "Heartbeat", "UNKNOWN_SERVER_ERROR") == 50


def test_a_defect_that_has_no_place_in_the_answer_closes(net: Net) -> None:
    net.on(0, lambda call, asked: 1 // 0)
    client, connection = net.connect()
    client.send(request(0, 9, produce.Request(acks=1)))
    net.loop.settle()
    assert connection.closed and ended(client) and len(net.failures) == 1


def test_an_answer_that_cannot_be_encoded_is_a_defect(net: Net) -> None:
    net.on(12, lambda call, asked: heartbeat.Response(error_code=10**9))
    client, _ = net.connect()
    client.send(request(12, 4, heartbeat.Request(group_id="g")))
    net.loop.settle()
    assert answers(client, 12, 4, heartbeat.Response) == [(1, beat(-1))]


@pytest.mark.parametrize("error", [WireError("bad metadata"), CloseConnection("refused with acks=0")])
def test_a_handler_may_hang_up(net: Net, error: WireError) -> None:
    def refuse(call: Call, asked: Any) -> Any:
        raise error

    net.on(12, refuse)
    client, connection = net.connect()
    client.send(request(12, 4, heartbeat.Request(group_id="g")))
    net.loop.settle()
    assert connection.closed and not net.failures and len(net.complaints) == 1


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        (struct.pack(">hhih", 999, 0, 1, -1), {"api": 999, "version": 0}),
        (struct.pack(">hhih", -5, 0, 1, -1), {"api": -5, "version": 0}),
        (struct.pack(">hhih", 12, 77, 1, -1), {"api": "Heartbeat", "version": 77}),
        (struct.pack(">hhih", 12, -1, 1, -1), {"api": "Heartbeat", "version": -1}),
        (struct.pack(">hhih", 0, 2, 1, -1), {"api": "Produce", "version": 2}),
        (b"", {"size": 0}),
        (b"\x00\x03\x00\x00", {"size": 4}),
        (struct.pack(">hhih", 12, 4, 1, 500) + b"short", {"api": "Heartbeat", "version": 4}),
        (struct.pack(">hhih", 12, 4, 1, -2), {"api": "Heartbeat", "version": 4}),
        (struct.pack(">hhih", 12, 4, 1, 2) + b"\xff\xfe\x00", {"api": "Heartbeat", "version": 4}),
        (struct.pack(">hhih", 12, 4, 1, 0), {"api": "Heartbeat", "version": 4}),
        (struct.pack(">hhih", 12, 4, 1, 0) + b"\x01\x00\xff\xff\xff\xff\x0f", {"api": "Heartbeat", "version": 4}),
        (struct.pack(">hhih", 12, 0, 1, 0) + b"\x7f\xffgroup", {"api": "Heartbeat", "version": 0}),
    ],
)
def test_what_cannot_be_read_closes_with_one_line(net: Net, frame: bytes, fields: dict[str, Any]) -> None:
    net.on(12, lambda call, asked: beat())
    client, connection = net.connect()
    client.send(framed(frame))
    net.loop.settle()
    assert connection.closed and received(client) == b"" and ended(client)
    assert len(net.complaints) == 1 and not net.failures
    line = net.complaints[0][1]
    assert fields.items() <= line.items() and line["peer"] == "192.0.2.1:40000"


@pytest.mark.parametrize("version", [5, 99, 32767, -1])
def test_api_versions_answers_any_version(net: Net, version: int) -> None:
    client, connection = net.connect()
    client.send(framed(struct.pack(">hhi", 18, version, 33) + b"\x00\x01x\x00whatever comes then"))
    net.loop.settle()
    ((correlation, response),) = answers(client, 18, 0, api_versions.Response)
    assert correlation == 33 and response.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [(one.api_key, one.min_version, one.max_version) for one in response.api_keys] == [(18, 0, 4)]
    assert not connection.closed and not net.complaints


def test_garbage_of_all_kinds_is_a_handful_of_lines_and_no_defect(net: Net) -> None:
    """Mutated requests of all served APIs: answered or refused, never a traceback."""
    chance = random.Random(20)
    for key in api.RANGES:
        net.on(key, lambda call, asked: None)
    samples = [
        request(served.key, version, api.load(served.key).request())  # type: ignore[union-attr]
        for served in api.RANGES.values()
        for version in (served.min_version, served.max_version)
    ]
    for number in range(3_000):
        frame = bytearray(chance.choice(samples))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(frame))
            match chance.randrange(3):
                case 0:
                    frame[at] = chance.randrange(256)
                case 1:
                    del frame[at : at + chance.randrange(1, 9)]
                case _:
                    frame[at:at] = chance.randbytes(chance.randrange(1, 9))
            if not frame:
                frame = bytearray(b"\x00")
        if number % 4:
            frame[:4] = struct.pack(">i", max(0, len(frame) - 4))
        client, connection = net.connect()
        client.send(frame)
        net.loop.turn()
        connection.close()
        client.close()
    net.spin()
    assert not net.failures
    assert 1 <= len(net.complaints) <= 6
    assert net.server.kept_bytes == 0 and net.server.waiting == 0
