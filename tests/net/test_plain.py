"""A connection, one wake-up at a time: frames in, answers out in order, and everything a peer may do to it."""

from __future__ import annotations

import os
import random
import socket
import struct
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from pykafkad.net import plain
from pykafkad.net.listener import STEP_SECONDS
from pykafkad.net.sending import READ_BELOW, SLOW_STEP, Slice
from tests.kit.net import Harness, ended, framed, received


@pytest.fixture
def net() -> Iterator[Harness]:
    harness = Harness()
    yield harness
    harness.close()


def test_frames_that_come_together_are_answered_together_and_in_order(net: Harness) -> None:
    client, _ = net.connect()
    client.send(framed(b"one") + framed(b"two") + framed(b"three"))
    net.loop.turn()
    assert received(client) == framed(b"one") + framed(b"two") + framed(b"three")


def test_a_frame_may_come_byte_by_byte(net: Harness) -> None:
    client, connection = net.connect()
    for byte in framed(b"slowly") + framed(b"again"):
        client.send(bytes([byte]))
        net.loop.turn()
    assert received(client) == framed(b"slowly") + framed(b"again")
    assert connection.kept == 0 and net.server.kept_bytes == 0


@pytest.mark.parametrize("seed", range(20))
def test_however_a_stream_is_cut_the_frames_are_the_same(net: Harness, seed: int) -> None:
    chance = random.Random(seed)
    frames = [chance.randbytes(chance.choice([1, 3, 50, 5000, 300_000])) for _ in range(12)]
    stream = b"".join(map(framed, frames))
    client, _ = net.connect()
    answers = b""
    while stream:
        size = chance.choice([1, 2, 3, 4, 5, 100, 70_000, 200_000])
        try:
            stream = stream[client.send(stream[:size]) :]
        except BlockingIOError:
            pass
        net.loop.turn()
        answers += received(client)
    while net.loop.turn():
        answers += received(client)
    assert net.dispatcher.seen == frames
    assert answers == b"".join(map(framed, frames))
    assert net.server.kept_bytes == 0


def test_the_next_request_waits_until_the_answer_is_there(net: Harness) -> None:
    client, _ = net.connect()
    client.send(framed(b"wait a") + framed(b"b"))
    client.send(framed(b"c"))
    net.loop.settle()
    assert net.dispatcher.seen == [b"wait a"]
    net.dispatcher.finish()
    net.loop.settle()
    assert received(client) == framed(b"wait a") + framed(b"b") + framed(b"c")


def test_a_request_that_lets_the_next_start_still_answers_first(net: Harness) -> None:
    client, _ = net.connect()
    client.send(framed(b"wait, next 1") + framed(b"wait, next 2") + framed(b"3") + framed(b"wait 4") + framed(b"5"))
    net.loop.settle()
    assert net.dispatcher.seen == [b"wait, next 1", b"wait, next 2", b"3", b"wait 4"]
    net.dispatcher.finish(1)
    assert received(client) == b""
    net.dispatcher.finish(0)
    net.loop.settle()
    assert received(client) == framed(b"wait, next 1") + framed(b"wait, next 2") + framed(b"3")
    net.dispatcher.finish(0)
    net.loop.settle()
    assert received(client) == framed(b"wait 4") + framed(b"5")


def test_waiting_requests_of_one_connection_are_bounded(net: Harness) -> None:
    client, _ = net.connect()
    client.send(framed(b"wait, next") * (plain.SLOTS_MAX + 10))
    net.loop.settle()
    assert len(net.dispatcher.waiting) == plain.SLOTS_MAX
    net.dispatcher.finish()
    net.loop.settle()
    assert len(net.dispatcher.waiting) == plain.SLOTS_MAX


def test_answers_that_wait_for_an_earlier_one_are_bounded(net: Harness) -> None:
    client, connection = net.connect()
    client.send(framed(b"wait, next") + framed(b"x") * 1000)
    net.loop.settle()
    assert len(net.dispatcher.seen) == plain.SLOTS_MAX
    net.dispatcher.finish()
    net.loop.settle()
    assert len(net.dispatcher.seen) == 1001 and connection.settled
    assert received(client) == framed(b"wait, next") + framed(b"x") * 1000


def test_no_answer_takes_no_bytes(net: Harness) -> None:
    net.dispatcher.reply = lambda frame: None if frame == b"quiet" else [framed(frame)]
    client, _ = net.connect()
    client.send(framed(b"quiet") + framed(b"loud"))
    net.loop.settle()
    assert received(client) == framed(b"loud")


def test_a_request_over_the_limit_is_refused_though_all_of_it_is_there() -> None:
    net = Harness(socket_request_max_bytes=10)
    client, connection = net.connect()
    client.send(framed(b"x" * 10) + framed(b"y" * 11))
    net.loop.settle()
    assert received(client) == framed(b"x" * 10)
    assert ended(client) and connection.closed
    net.close()


@pytest.mark.parametrize("size", [-1, -(2**31), 104857601, 2**31 - 1])
def test_an_impossible_size_closes_without_an_answer_after_those_that_are_due(net: Harness, size: int) -> None:
    client, connection = net.connect()
    client.send(framed(b"fine") + struct.pack(">i", size) + b"x" * 100)
    net.loop.settle()
    assert received(client) == framed(b"fine")
    assert ended(client) and connection.closed
    assert [event for event, _ in net.complaints] == ["closed a connection: size of a request"]
    assert net.complaints[0][1]["size"] == size


def test_an_impossible_size_is_seen_when_its_four_bytes_come_apart(net: Harness) -> None:
    client, _ = net.connect()
    for byte in b"\xff\xff\xff\xff":
        client.send(bytes([byte]))
        net.loop.turn()
    assert ended(client)


def test_what_is_announced_is_not_allocated(net: Harness) -> None:
    client, connection = net.connect()
    client.send(struct.pack(">i", 50_000_000) + b"x" * 1000)
    net.loop.settle()
    assert connection.kept == 1004
    assert connection._inbox is not None and connection._inbox.__sizeof__() < 4096


def test_a_large_frame_arrives_and_leaves_nothing_behind(net: Harness) -> None:
    net.dispatcher.reply = lambda frame: [framed(b"ok")]
    client, connection = net.connect()
    frame = random.Random(1).randbytes(3_000_000)
    stream = memoryview(framed(frame))
    while stream:
        try:
            stream = stream[client.send(stream) :]
        except BlockingIOError:
            pass
        net.loop.turn()
    net.loop.settle()
    assert net.dispatcher.seen == [frame]
    assert received(client) == framed(b"ok")
    assert connection.kept == 0 and net.server.kept_bytes == 0


@pytest.mark.parametrize("seed", range(8))
def test_large_frames_of_many_connections_arrive_whole_and_in_order(net: Harness, seed: int) -> None:
    net.dispatcher.reply = lambda frame: [framed(b"ok" + frame[:8])]
    chance = random.Random(seed)
    sizes = [1, 5000, 100_000, 524_284, 524_285, 700_000, 1_048_588, 1_114_108, 1_114_109, 1_500_000]
    asked: list[list[bytes]] = []
    streams: list[memoryview] = []
    clients = [net.connect()[0] for _ in range(6)]  # more than there are trays
    for number in range(len(clients)):
        frames = [bytes([number]) + chance.randbytes(chance.choice(sizes)) for _ in range(7)]
        if chance.random() < 0.5:  # what stands behind it waits for its answer
            frames.insert(chance.randrange(7), b"wait, number %d" % number)
        asked.append(frames)
        streams.append(memoryview(b"".join(map(framed, frames))))
    answers = [b""] * len(clients)
    steps = 0
    while any(streams) or net.dispatcher.waiting or net.loop.turn():
        steps += 1
        assert steps < 100_000
        for number, client in enumerate(clients):
            try:
                part = chance.choice([1, 3, 70_000, 300_000])
                streams[number] = (
                    streams[number][client.send(streams[number][:part]) :] if streams[number] else streams[number]
                )
            except BlockingIOError:
                pass
        net.loop.turn()
        if net.dispatcher.waiting and chance.random() < 0.2:
            net.dispatcher.finish()
        for number, client in enumerate(clients):
            answers[number] += received(client)
    seen = [[frame for frame in net.dispatcher.seen if frame[:1] == bytes([number])] for number in range(len(clients))]
    assert seen == [[frame for frame in frames if frame[:1] != b"w"] for frames in asked]
    for frames, heard in zip(asked, answers, strict=True):
        assert heard == b"".join(framed(one if one[:1] == b"w" else b"ok" + one[:8]) for one in frames)
    assert net.server.kept_bytes == 0 and net.server.trays_lent == 0


def test_a_client_that_leaves_in_a_large_frame_gives_its_tray_back(net: Harness) -> None:
    for _ in range(10):
        client, connection = net.connect()
        client.send(struct.pack(">i", 1_000_000) + bytes(100_000))
        net.loop.settle()
        assert net.server.trays_lent == 1 and connection.kept == net.server.kept_bytes == 100_004
        client.close()
        net.loop.settle()
        assert net.server.trays_lent == 0 and net.server.kept_bytes == 0


def test_a_client_that_never_reads_is_no_longer_read(net: Harness) -> None:
    net.dispatcher.reply = lambda frame: [framed(b"x" * 100_000)]
    client, connection = net.connect()
    sent = 0
    for _ in range(2_000):
        try:
            sent += client.send(framed(b"more"))
        except BlockingIOError:
            break
        net.loop.turn()
    served = len(net.dispatcher.seen)
    assert served < 20, "served only what the socket takes, and a little more"
    assert connection.kept < 2 * plain.AHEAD_MAX and connection._out_bytes < plain.FLUSH_AT + 200_000
    answered = 0
    while (more := len(received(client))) or net.loop.turn():
        answered += more
    assert len(net.dispatcher.seen) == sent // 8
    assert answered == sent // 8 * 100_004


def test_one_wake_up_serves_only_so_many_and_the_others_have_their_turn(net: Harness) -> None:
    greedy, _ = net.connect()
    modest, _ = net.connect()
    greedy.send(framed(b"g") * (plain.TURN_REQUESTS * 3))
    modest.send(framed(b"m"))
    net.loop.turn()
    assert net.dispatcher.seen.index(b"m") <= plain.TURN_REQUESTS
    net.loop.settle()
    assert received(greedy) == framed(b"g") * (plain.TURN_REQUESTS * 3)


@pytest.mark.parametrize("first", [b"wait", b"wait, next may come"])
def test_what_a_client_asked_before_it_left_is_still_done(net: Harness, first: bytes) -> None:
    client, connection = net.connect()
    client.send(framed(first) + framed(b"then"))
    net.loop.turn()
    client.close()
    net.loop.settle()
    assert not connection.closed
    net.dispatcher.finish()
    net.loop.settle()
    assert net.dispatcher.seen == [first, b"then"]
    assert connection.closed
    assert net.server.waiting == 0 and not net.server.connections and net.server.kept_bytes == 0


def test_a_client_that_closes_its_half_behind_a_request_that_waits_hears_all_answers(net: Harness) -> None:
    client, connection = net.connect()
    client.send(framed(b"wait") + framed(b"then"))
    client.shutdown(socket.SHUT_WR)
    net.loop.settle()
    assert not connection.closed and received(client) == b""
    net.dispatcher.finish()
    net.loop.settle()
    assert received(client) == framed(b"wait") + framed(b"then")
    assert connection.closed


@pytest.mark.parametrize("count", [1, 10, 65, 300])
def test_a_client_that_closes_only_its_half_hears_all_answers(net: Harness, count: int) -> None:
    client, connection = net.connect()
    client.send(framed(b"last") * count)
    client.shutdown(socket.SHUT_WR)
    net.loop.settle()
    assert received(client) == framed(b"last") * count
    assert connection.closed and net.server.kept_bytes == 0


def test_a_client_that_closes_its_half_in_the_middle_of_a_frame_is_gone(net: Harness) -> None:
    client, connection = net.connect()
    client.send(framed(b"whole") + framed(b"cut off")[:-1])
    client.shutdown(socket.SHUT_WR)
    net.loop.settle()
    assert received(client) == framed(b"whole")
    assert connection.closed and net.server.kept_bytes == 0


class FileOf:
    """A file slice as storage would give it."""

    def __init__(self, data: bytes) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.file.write(data)
        self.file.flush()
        self.offset = 0
        self.length = len(data)
        self.reads = 0

    @property
    def fd(self) -> int:
        return self.file.fileno()

    def __len__(self) -> int:
        return self.length

    def read(self) -> bytes:
        self.reads += 1
        return os.pread(self.fd, self.length, self.offset)


def drain(net: Harness, client: socket.socket) -> bytes:
    data = b""
    while net.loop.turn() or net.loop.jobs:
        net.loop.work()
        data += received(client)
    return data + received(client)


@pytest.mark.parametrize("size", [1, 1000, READ_BELOW - 1, READ_BELOW, 100_000, 5_000_000])
def test_a_file_slice_between_bytes_arrives_whole(net: Harness, size: int) -> None:
    data = random.Random(size).randbytes(size)
    with FileOf(data).file as file:
        piece: Any = FileOf.__new__(FileOf)
        piece.file, piece.offset, piece.length = file, 0, size
        net.dispatcher.reply = lambda frame: [b"head", piece, b"between", piece, b"tail"]
        client, connection = net.connect()
        client.send(framed(b"fetch") + framed(b"fetch"))
        assert drain(net, client) == (b"head" + data + b"between" + data + b"tail") * 2
        assert connection.settled and connection.hold == 0
        from_files = net.counted("kafka_network_socketserver_bytes_sent_from_files_total")
        assert (from_files > 0) == (size >= READ_BELOW)


def test_a_slice_that_has_no_file_is_read(net: Harness) -> None:
    class Memory:
        fd = -1
        offset = 0

        def __len__(self) -> int:
            return 100_000

        def read(self) -> bytes:
            return b"m" * 100_000

    net.dispatcher.reply = lambda frame: [b"head", Memory()]
    client, _ = net.connect()
    client.send(framed(b"fetch"))
    assert drain(net, client) == b"head" + b"m" * 100_000


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_cold_slice_is_warmed_by_a_thread_and_the_loop_goes_on(
    net: Harness, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = FileOf(b"c" * size)
    read = os.preadv

    def preadv(fd: int, buffers: Any, offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT:
            raise BlockingIOError(11, "would block")
        return read(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", preadv)
    net.dispatcher.reply = lambda frame: [framed(frame)] if frame != b"cold" else [b"head", cold]
    client, connection = net.connect()
    client.send(framed(b"cold") + framed(b"next"))
    net.loop.settle()
    assert len(net.loop.jobs) == 1
    other, _ = net.connect()
    other.send(framed(b"meanwhile"))
    net.loop.settle()
    assert received(other) == framed(b"meanwhile")
    assert net.dispatcher.seen == [b"cold", b"meanwhile"] or net.dispatcher.seen == [b"cold", b"next", b"meanwhile"]
    net.loop.work()
    assert drain(net, client) == b"head" + b"c" * size + framed(b"next")
    assert net.counted("kafka_network_socketserver_cold_reads_total") == 1
    assert not connection.closed
    cold.file.close()


def test_old_data_leave_in_steps_while_others_ask(net: Harness) -> None:

    old = FileOf(b"o" * 4 * SLOW_STEP)
    sender, ours = net.server.sender, socket.socketpair()
    for end in ours:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * SLOW_STEP)
    out: list[Any] = [old]
    step = sender.send(ours[0], out, slow=True)
    assert isinstance(step, Slice) and step.warm
    assert len(step) == 3 * SLOW_STEP
    for end in ours:
        end.close()
    old.file.close()


def test_steps_of_old_data_are_spread_while_somebody_else_is_served(net: Harness) -> None:
    server = net.server
    now = server.monotonic() + 10
    server.monotonic = lambda: now
    assert [server.pause() for _ in range(3)] == [0.0] * 3, "nobody asked lately"
    server.lively = now
    assert [round(server.pause() / STEP_SECONDS) for _ in range(4)] == [0, 1, 2, 3]


def test_a_client_that_leaves_during_a_transfer_releases_the_file(net: Harness) -> None:
    released: list[bool] = []

    class Counted(FileOf):
        def __del__(self) -> None:
            self.file.close()
            released.append(True)

    net.dispatcher.reply = lambda frame: [b"head", Counted(b"f" * 30_000_000)]
    client, connection = net.connect()
    client.send(framed(b"fetch"))
    net.loop.turn()
    assert not released and connection.hold & plain.SENDING
    client.close()
    net.loop.settle()
    assert connection.closed and released == [True]


def test_a_file_that_became_shorter_ends_the_connection(net: Harness) -> None:
    short = FileOf(b"s" * 100_000)
    short.length = 200_000
    net.dispatcher.reply = lambda frame: [b"head", short]
    client, connection = net.connect()
    client.send(framed(b"fetch"))
    drain(net, client)
    assert connection.closed
    short.file.close()
