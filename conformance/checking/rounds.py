"""Rounds: processes at work, faults, then quiet; everything is read to its end, and the judge is asked."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from conformance.brokers import ROOT, Apache, Broker, NotStarted, Pykafkad, dying_with_parent
from conformance.checking import history
from conformance.checking.history import Read
from conformance.checking.judging import Anomaly, Fate, fate, judge, told
from conformance.checking.process import ASIDE, GROUP, LANE, LANE_GROUP, MADE, MOVED, Journal, positions, written
from conformance.checking.producers import HUNG, PATIENCE_S, TIMEOUT_MS
from conformance.checking.readers import assign, committed, make_consumer
from conformance.proxy import ADD_PARTITIONS_TO_TXN, END_TXN, PRODUCE, TXN_OFFSET_COMMIT, Proxy
from kafkawire.codec import decode
from kafkawire.headers import RequestHeader, read_request_header
from kafkawire.keys import API, request_class

KEYS = {MOVED: 3, LANE: 1, ASIDE: 2, MADE: 2}
MOVES = {MOVED: GROUP, LANE: LANE_GROUP}
SETTINGS = {
    "offsets.topic.num.partitions": "2",
    "transaction.state.log.num.partitions": "2",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "100",
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
}
OURS = {"broker.session.timeout.ms": "60000"}  # a broker that got no time to run would have no leaders to name
# A killed broker may come back when its session is over, which after nine seconds would be most of a run.
APACHES = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
CREW = [
    ("writer", "writer-0", "confluent"),
    ("writer", "writer-1", "kafka-python"),
    ("writer", "writer-2", "version 2"),
    ("writer", "writer-3", "aiokafka"),
    ("mover", "mover-0", "confluent"),
    ("mover", "mover-1", "version 2"),
    ("mover", "mover-2", "aiokafka"),
    ("reader", "reader", "confluent"),
]
VERSION_2 = {PRODUCE: 12, END_TXN: 5, TXN_OFFSET_COMMIT: 5}
"""Requests of transaction version 2 say so by their own version."""
MOST_S = 3.0
"""Between two faults, if nobody gets anything done."""
PAUSE_S = TIMEOUT_MS / 1000 + 0.7
SUCCESSION_S = 1.2
"""From a successor's start to its predecessor's awakening."""
_EOF = KafkaError._PARTITION_EOF
ROUNDS_OF_ONE = 6
"""So many rounds a data directory lives, since each of them is read and judged from the beginning."""
QUIET_S = 30.0
"""Until whoever was at work has ended, and everything is decided and moved."""


STUCK = "stuck"  # no verdict of the judge's


class Stuck(Exception):
    """What should have come didn't come in time, or at all."""


class Planted(Pykafkad):
    """Ours by way of ``plants.py``: unhurried, and with bugs if there are any to be planted."""

    def __init__(self, directory: pathlib.Path, overrides: dict[str, object], plants: Sequence[str]) -> None:
        super().__init__(directory, overrides)
        self.plants = plants

    def command(self) -> list[str]:
        ours = super().command()
        at = ours.index("serve")
        return [*ours[: at - 2], "-m", "conformance.checking.plants", *self.plants, *ours[at:]]


class Worker:
    """A process of a run, seen from outside."""

    def __init__(self, name: str, setting: dict[str, Any], complaints: pathlib.Path) -> None:
        self.name = name
        self.setting = setting
        path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "protocol"), os.environ.get("PYTHONPATH")]))
        with complaints.open("ab") as errors:
            self.process = subprocess.Popen(
                [*dying_with_parent(), sys.executable, "-m", "conformance.checking.worker", json.dumps(setting)],
                stdin=subprocess.PIPE,
                stderr=errors,
                env=dict(os.environ) | {"PYTHONPATH": path},
                start_new_session=True,
            )

    @property
    def broke(self) -> bool:
        """Whether it has ended, and not well."""
        return (self.process.poll() or 0) > 0 and not self.hung

    @property
    def hung(self) -> bool:
        """Whether its client never came back: no fault of the broker's."""
        return self.process.poll() == HUNG

    def order_pause(self, *, leave: bool) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"pause, then leave\n" if leave else b"pause\n")
        self.process.stdin.flush()

    @property
    def stopped(self) -> bool:
        """Whether it has paused."""
        try:
            state = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state == "T"

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask it to."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Pause(NamedTuple):
    """A worker that was told to pause, and what is to be done while it does."""

    worker: Worker
    succeeded: bool


@dataclass
class Tally:
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    fates: Counter[Fate] = field(default_factory=Counter)
    records: int = 0

    def told(self) -> str:
        fates = ", ".join(f"{self.fates[one]} {one.value}" for one in Fate)
        faults = ", ".join(f"{count} × {what}" for what, count in sorted(self.faults.items()))
        return f"{self.rounds} rounds, transactions: {fates}, {self.records} records at the end; {faults}"


Fault = Callable[["Trial"], None]


class Trial:
    """One data directory, for some rounds."""

    def __init__(
        self, kind: str, directory: pathlib.Path, chance: random.Random, tally: Tally, plants: Sequence[str] = ()
    ) -> None:
        self.chance, self.tally = chance, tally
        directory.mkdir(parents=True)
        self.directory = directory
        self.proxy = Proxy()
        overrides: dict[str, object] = {
            **SETTINGS,
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.proxy.port}",
        }
        self.broker: Broker = (
            Planted(directory / "broker", overrides | OURS, plants)
            if kind == "pykafkad"
            else Apache(directory / "broker", overrides | APACHES)
        )
        self.proxy.target = self.broker.port
        self.broker.patience = max(120.0, self.broker.patience)  # on a busy machine
        self.broker.start()
        self.bootstrap = f"127.0.0.1:{self.proxy.port}"
        self.history = directory / "history.jsonl"
        self.journal = Journal(str(self.history))
        self.tail = self.history.open()
        self.crew: dict[str, Worker] = {}
        self.pauses: list[Pause] = []
        self.due: list[tuple[float, Worker]] = []
        """Who goes on when."""
        self.stuck: list[str] = []
        """What kept the round from its end."""
        self.fates: Counter[Fate] = Counter()
        self.records = 0
        self.rounds = self.hired = 0
        self._create()

    def _create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        wanted = [NewTopic(topic, count, 1) for topic, count in KEYS.items()]
        for made in admin.create_topics(wanted, request_timeout=20).values():
            made.result(30)

    # ── a round ──

    def round(self, faults: Sequence[Fault]) -> list[Anomaly]:
        self.rounds += 1
        for role, name, client in CREW:
            self.hire(role, name, client)
        for fault in self.chance.sample(faults, len(faults)):
            self._work()
            fault(self)
        until = time.monotonic() + PAUSE_S
        while (self.pauses or self.due) and time.monotonic() < until:
            self._work()
        self.stuck = []
        try:
            self.rest()
            self.read()
        except Stuck as stuck:  # as much as there is can be judged all the same
            for worker in self.crew.values():
                worker.kill()
            self.stuck.append(str(stuck))
        return [*(Anomaly(STUCK, what) for what in self.stuck), *self.judged()]

    def hire(self, role: str, name: str, client: str, transactional_id: str = "") -> Worker:
        self.hired += 1
        one = f"{name}/{self.hired}"
        setting = {
            "role": role,
            "name": one,
            "client": client,
            "bootstrap": self.bootstrap,
            "transactional_id": transactional_id or name,
            "journal": str(self.history),
            "keys": KEYS,
            "seed": self.chance.randrange(1 << 30),
        }
        worker = Worker(one, setting, self.directory / f"{one.replace('/', '-')}.log")
        self.crew[one] = worker
        return worker

    def rest(self) -> None:
        """Writers come to an end; then movers, when they have moved everything; then whoever reads. Of those that share
        a name only the last one goes on until then: they would do nothing but fence each other.
        """
        self._end(self._of("writer"))
        until = time.monotonic() + QUIET_S / 3
        for topic in MOVES:  # what is decided but not yet to be read is to be moved too
            self._settled(topic, until)
        last = {worker.setting["transactional_id"]: worker for worker in self._of("mover")}
        self._end([worker for worker in self._of("mover") if worker not in last.values()])
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until and not self._all_is_moved():
            self._look_after_the_crew()
            time.sleep(0.1)
        self._end(self._of("mover"))
        self._end(self._of("reader"))
        self.pauses.clear()
        self.due.clear()

    def _of(self, role: str) -> list[Worker]:
        return [worker for worker in self.crew.values() if worker.setting["role"] == role]

    def _end(self, ending: list[Worker]) -> None:
        for worker in ending:
            worker.end()
        until = time.monotonic() + PATIENCE_S
        while late := [worker for worker in ending if worker.process.poll() is None]:
            for worker in late:
                worker.go_on()
            time.sleep(0.02)
            if time.monotonic() > until:
                for worker in late:
                    worker.process.send_signal(signal.SIGUSR1)
                time.sleep(1)
                for worker in late:
                    worker.kill()
                    self.stuck.append(f"{worker.name}: no end, see its log")
        for worker in ending:
            if worker.broke:
                self.stuck.append(f"{worker.name} broke, see its log")
            del self.crew[worker.name]

    def _all_is_moved(self) -> bool:
        last = {read.key: read.offset for topic in MOVES for read in self._log(topic, committed=True)[0]}
        offsets = self._offsets()
        return all(offsets.get(key, 0) > offset for key, offset in last.items())

    # ── the end of it ──

    def read(self) -> None:
        """Everything, once no transaction is open any more; or as far as it can be read."""
        until = time.monotonic() + QUIET_S / 3
        for topic in KEYS:
            found = self._settled(topic, until)
            for stable, (reads, ends) in found.items():
                for partition, end in enumerate(ends):
                    key = (topic, partition)
                    there = [read for read in reads if read.key == key]
                    self.journal.write("log", key=key, committed=stable, end=end, reads=written(there))
        self.journal.write("end", moved=list(MOVES), offsets=positions(self._offsets()))

    def _settled(self, topic: str, until: float) -> dict[bool, tuple[list[Read], list[int]]]:
        """A topic for both kinds of readers when they meet the same end, which is soon after the last transaction."""
        while True:
            found = {committed: self._log(topic, committed=committed) for committed in (True, False)}
            if found[True][1] == found[False][1] or time.monotonic() > until:
                return found
            time.sleep(0.05)

    def _log(self, topic: str, *, committed: bool) -> tuple[list[Read], list[int]]:
        """What is in it for such a reader, and where it ends in each partition."""
        consumer = make_consumer(self.bootstrap, committed=committed, more={"enable.partition.eof": True})
        found: list[Read] = []
        keys = [(topic, partition) for partition in range(KEYS[topic])]
        try:
            assign(consumer, dict.fromkeys(keys, 0))
            ends: dict[int, int] = {}
            until = time.monotonic() + QUIET_S
            while len(ends) < len(keys):
                if time.monotonic() > until:
                    raise Stuck(f"{topic} can't be read to its end")
                for message in consumer.consume(1000, 0.1):
                    if message.error() is None:
                        key = (message.topic(), message.partition())
                        found.append(Read(key, message.offset(), message.value().decode()))
                    elif message.error().code() == _EOF:
                        ends[message.partition()] = message.offset()
            return found, [ends[partition] for _, partition in keys]
        finally:
            consumer.close()

    def _offsets(self) -> dict[history.Key, int]:
        return {key: offset for topic in MOVES for key, offset in self._offsets_in(topic).items()}

    def _offsets_in(self, topic: str) -> dict[history.Key, int]:
        consumer = make_consumer(self.bootstrap, committed=True, group=MOVES[topic])
        keys = [(topic, partition) for partition in range(KEYS[topic])]
        try:
            until = time.monotonic() + QUIET_S
            while time.monotonic() < until:
                if (offsets := committed(consumer, keys)) is not None:
                    return offsets
            raise Stuck(f"the offsets of {MOVES[topic]} aren't told")
        finally:
            consumer.close()

    def judged(self) -> list[Anomaly]:
        with self.history.open() as lines:
            seen = history.read(lines)
        anomalies = judge(seen)
        log = self.broker.log()
        if "Traceback" in log:
            anomalies.append(Anomaly("the broker's log has a traceback", log[log.index("Traceback") - 300 :][:3000]))
        self.tally.rounds += 1
        self.fates = Counter(fate(one, seen.instances.values()) for one in seen.transactions.values())
        self.records = sum(len(log.committed) for log in seen.logs.values())
        return anomalies

    def close(self) -> None:
        for worker in self.crew.values():
            worker.kill()
        self.broker.kill()
        self.proxy.close()

    # ── faults ──

    def note(self, fault: str) -> None:
        self.tally.faults[fault] += 1
        self.journal.write("fault", which=fault)

    def _work(self) -> None:
        """Let some transactions end."""
        until = time.monotonic() + MOST_S
        wanted = self.chance.randrange(1, 5)
        while wanted > 0 and time.monotonic() < until:
            time.sleep(0.02)
            self._look_after_the_crew()
            wanted -= self.tail.read().count('"outcome"')
        time.sleep(self.chance.uniform(0, 0.1))

    def _look_after_the_crew(self) -> None:
        now = time.monotonic()
        for one in [one for one in self.pauses if one.worker.stopped]:
            self.pauses.remove(one)
            if one.succeeded:
                self.note("pause, and a successor")
                setting = one.worker.setting
                self.hire(setting["role"], "successor", setting["client"], setting["transactional_id"])
            else:
                self.note("pause for longer than the transaction may take")
            self.due.append((now + (SUCCESSION_S if one.succeeded else PAUSE_S), one.worker))
        for due, worker in list(self.due):
            if due <= now:
                self.due.remove((due, worker))
                worker.go_on()
        for worker in [one for one in self.crew.values() if one.hung]:
            self.note("a client that hung")
            self._replace(worker)

    def kill_broker(self, during: str = "") -> None:
        """``during``: while the broker may be at work on a commit or an abort."""
        if during:
            until = time.monotonic() + MOST_S
            while f'"what": "{during}"' not in self.tail.read() and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(self.chance.uniform(0, 0.1))
        self.note(f"kill -9 of the broker{' during ' * bool(during)}{during}")
        self.broker.kill()
        self.broker.start()

    def cut(self) -> None:
        self.note("all connections cut")
        self.proxy.cut()

    def lose(self, api: int, since: int = 0) -> None:
        self.note("answers lost")
        self.proxy.lose_answers(2, api, since)

    def delay(self, api: int, since: int) -> None:
        """A request of transaction version 2 comes when its transaction is over and the next one is running. Its sender
        has asked again meanwhile, and was answered. Under version 1 nobody could tell it from one of the next.
        """
        if worker := self._hold(lambda header: header.api_key == api and header.api_version >= since):
            self.note(f"a late {API[api].name}")
            self._await("ended", worker)
            self._await("told", worker)
            self.proxy.release()

    def bequeath(self, since: int = 0) -> None:
        """What a producer asked before it was killed comes when its heir is about to write."""
        if worker := self._hold(lambda header: header.api_key == PRODUCE and header.api_version >= since):
            self.note("a late Produce of a producer that is dead")
            worker.kill()
            self._await("begin", self._replace(worker))
            self.proxy.release()

    def _hold(self, wanted: Callable[[RequestHeader], bool]) -> Worker | None:
        """Hold the next such request back; the process that asked it, None if nobody did in time."""
        asking: list[Worker] = []

        def judge(frame: bytes) -> bool:
            header, position = read_request_header(frame)
            if not wanted(header):
                return False
            request = decode(request_class(header.api_key), header.api_version, frame, position)
            names = {worker.setting["transactional_id"]: worker for worker in list(self.crew.values())}
            asking.extend(one for name, one in names.items() if name == request.transactional_id)
            return bool(asking)

        self.proxy.hold(judge)
        until = time.monotonic() + MOST_S
        while not self.proxy.held and time.monotonic() < until:
            self._look_after_the_crew()
            time.sleep(0.005)
        self.proxy.hold(None)
        return asking[0] if self.proxy.held else None

    def _await(self, what: str, worker: Worker) -> None:
        """Until the worker has written that down of one of its transactions; it may have none any more."""
        until = time.monotonic() + MOST_S
        while time.monotonic() < until:
            for line in self.tail:
                if f'"what": "{what}", "txn": "{worker.name}#' in line:
                    return
            time.sleep(0.002)

    def pause(self, role: str, *, succeeded: bool) -> None:
        """One that isn't pausing already."""
        busy = {one.worker.name for one in self.pauses} | {worker.name for _, worker in self.due}
        could = [one for one in self._of(role) if one.name not in busy and one.process.poll() is None]
        if could:
            worker = self.chance.choice(could)
            worker.order_pause(leave=succeeded)
            self.pauses.append(Pause(worker, succeeded))

    def kill_worker(self, role: str) -> None:
        """And another takes its name."""
        worker = self.chance.choice([one for one in self._of(role) if one.process.poll() is None])
        self.note(f"kill -9 of a {role}")
        worker.kill()
        self._replace(worker)

    def _replace(self, worker: Worker) -> Worker:
        self.pauses = [one for one in self.pauses if one.worker is not worker]
        self.due = [(due, one) for due, one in self.due if one is not worker]
        del self.crew[worker.name]
        setting = worker.setting
        return self.hire(setting["role"], "heir", setting["client"], setting["transactional_id"])


FAULTS: dict[str, list[Fault]] = {
    "kills": [
        Trial.kill_broker,
        partial(Trial.kill_broker, during="commit"),
        partial(Trial.kill_broker, during="abort"),
    ],
    "wire": [
        Trial.cut,
        *(partial(Trial.lose, api=api) for api in (PRODUCE, END_TXN, TXN_OFFSET_COMMIT, ADD_PARTITIONS_TO_TXN)),
        partial(Trial.lose, api=END_TXN, since=VERSION_2[END_TXN]),
    ],
    "delays": [
        *(partial(Trial.delay, api=api, since=since) for api, since in VERSION_2.items()),
        Trial.bequeath,
        partial(Trial.bequeath, since=VERSION_2[PRODUCE]),
    ],
    "pauses": [
        partial(Trial.pause, role="writer", succeeded=False),
        partial(Trial.pause, role="writer", succeeded=False),
        partial(Trial.pause, role="writer", succeeded=True),
        partial(Trial.pause, role="mover", succeeded=True),
    ],
    "deaths": [
        partial(Trial.kill_worker, role="mover"),
        partial(Trial.kill_worker, role="writer"),
    ],
}


def faults_of(kinds: Iterable[str]) -> list[Fault]:
    return [fault for kind in kinds for fault in FAULTS[kind]]


class Found(NamedTuple):
    """What was found, and after what."""

    where: str
    anomalies: list[Anomaly]

    def __str__(self) -> str:
        return f"{self.where}:\n{told(self.anomalies)}"

    @property
    def counted(self) -> str:
        counts = Counter(anomaly.kind for anomaly in self.anomalies)
        return ", ".join(f"{count} × {kind}" for kind, count in counts.most_common())

    @property
    def kinds(self) -> set[str]:
        return {anomaly.kind for anomaly in self.anomalies}


def run(
    directory: pathlib.Path,
    seed: int,
    tally: Tally,
    more: Callable[[], bool],
    *,
    kind: str = "pykafkad",
    plants: Sequence[str] = (),
    faults: Sequence[Fault] = (),
) -> Found | None:
    """Rounds while there are to be more, each with all faults unless some are named; what was found, or None."""
    faults = faults or faults_of(FAULTS)
    chance = random.Random(seed)
    while more():
        trial = Trial(kind, directory / f"trial-{tally.rounds}", chance, tally, plants)
        try:
            while trial.rounds < ROUNDS_OF_ONE and more():
                anomalies = trial.round(faults)
                if anomalies:
                    return Found(f"round {tally.rounds}, in {trial.directory}", anomalies)
        except NotStarted as failure:
            return Found(f"round {tally.rounds + 1}, in {trial.directory}", [Anomaly(STUCK, str(failure))])
        finally:
            trial.close()
            tally.fates += trial.fates
            tally.records += trial.records
    return None
