"""Rounds: let a job's programs work, strike one of them or the broker, and in the end compare all that came out."""

from __future__ import annotations

import math
import pathlib
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conformance.brokers import KINDS, Broker
from conformance.killing.load import Lost, consumer, patiently, producer, read
from conformance.patience import Patience
from conformance.peers.job import Job
from conformance.peers.program import Program
from conformance.peers.standing import account

SETTINGS = {
    "auto.create.topics.enable": "false",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
}
COMMITTED = {"isolation.level": "read_committed"}
PATIENCE = 300.0  # seconds without anything new, after which nothing will come any more
ENDS = 10  # of programs, by themselves, after each of which nothing new came out
SESSION_SECONDS = 4.0  # of the programs' members: who is frozen longer has been replaced
PAUSE = 0.02  # seconds between bursts
CLIENT_PATIENCE = 120.0


@dataclass
class Tally:
    rounds: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """Programs that ended by themselves, by exit code."""
    records: int = 0

    def __str__(self) -> str:
        struck = ", ".join(f"{n} × {what}" for what, n in sorted(self.struck.items()))
        ended = ", ".join(f"{n} × {what}" for what, n in sorted(self.ended.items())) or "none"
        return f"{self.rounds} rounds ({struck}; ended by themselves: {ended}), {self.records} records compared"


class Watcher:
    """Reads what is committed while it is written, and so knows how far the work is."""

    def __init__(self, bootstrap: str, topics: Mapping[str, int]) -> None:
        self.seen: dict[str, dict[bytes | None, list[bytes]]] = {topic: defaultdict(list) for topic in topics}
        self.count = 0
        self.failure: str | None = None
        self._ended = False
        self._consumer = consumer(bootstrap, "watcher", **COMMITTED)
        self._consumer.assign([TopicPartition(topic, p, 0) for topic, n in topics.items() for p in range(n)])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended:
            for message in self._consumer.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    self.seen[message.topic()][message.key()].append(message.value())
                    self.count += 1
                elif error.code() != KafkaError._PARTITION_EOF and not error.retriable() and error.code() > 0:
                    self.failure = str(error)

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._consumer.close()


class Feeder:
    """Sends a job's bursts while it may; whatever it has sent will be there, once."""

    def __init__(self, bootstrap: str, job: Job) -> None:
        self.job = job
        self.refused: list[str] = []
        self.producer = producer(bootstrap, **{"message.timeout.ms": 0})  # `settle` knows how long is too long
        self._ended = False
        self._failure: BaseException | None = None
        job.begin(self.send)
        self.settle()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self.producer.produce(topic, value, key, partition, on_delivery=self._heard)
                break
            except BufferError:
                self.producer.poll(0.05)

    def _heard(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self.refused.append(f"{message.topic()}-{message.partition()}: {error}")

    def _run(self) -> None:
        try:
            while not self._ended:
                self.job.burst(self.send)
                self.producer.poll(0)
                while len(self.producer) > 500 and not self._ended:  # the broker is away
                    self.producer.poll(0.1)
                time.sleep(PAUSE)
        except BaseException as error:
            self._failure = error

    def settle(self) -> None:
        patience = Patience(CLIENT_PATIENCE)
        while self.producer.flush(1) and not self.refused and not patience.ended():
            pass
        if len(self.producer) or self.refused:
            raise Lost(f"the input wasn't taken: {len(self.producer)} records have no answer; {self.refused[:1]}")

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        self.settle()


class Trial:
    """One broker, one job, some rounds."""

    def __init__(
        self,
        kind: str,
        job: type[Job],
        directory: pathlib.Path,
        chance: random.Random,
        tally: Tally,
        spared: Collection[str] = (),
    ) -> None:
        self.actions = [action for action in job.actions if action not in spared]
        self.chance, self.tally, self.directory = chance, tally, directory
        self.broker: Broker = KINDS[kind](directory / "broker", SETTINGS)
        self.broker.patience = max(self.broker.patience, 120)
        self.job = job(self.broker.bootstrap, directory, chance)  # before anything runs: its programs may be missing
        self.broker.start()
        self._create()
        self.watcher = Watcher(self.broker.bootstrap, self.job.outputs)
        self.vain, self.known = 0, 0  # ends of programs since nothing new came out, and how much that was
        self.feeder = Feeder(self.broker.bootstrap, self.job)

    def _create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        topics = [NewTopic(name, n, 1) for name, n in (self.job.inputs | self.job.outputs).items()]
        for made in admin.create_topics(topics, request_timeout=30).values():
            made.result(40)

    def run(self, rounds: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        for program in self.job.programs:
            program.start()
        self.job.started()
        for _ in range(rounds):
            if time.monotonic() > until:
                break
            self._round()
        self.feeder.close()
        due = sum(len(values) for topic in self.job.due().values() for values in topic.values())
        self._progress(lambda: self.watcher.count >= due and self.job.complete(), f"{due} records are due")
        for program in self.job.programs:
            program.stop()
        self._compare()

    def _round(self) -> None:
        action = self.chance.choice(self.actions)
        if self.chance.random() < 0.8:  # else it is struck while it starts
            begin = self.watcher.count
            self._progress(lambda: self.watcher.count > begin, "nothing new came out")
        time.sleep(self.chance.uniform(0, 1.0))
        one = self.chance.choice(self.job.programs)
        getattr(self, f"_{action}")(one)
        self.tally.struck[action] += 1
        self.tally.rounds += 1
        self._supervise()
        print(f"round {self.tally.rounds}: {action}, {self.watcher.count} records", flush=True)

    def _kill(self, one: Program) -> None:
        one.kill()
        one.start()

    def _wipe(self, one: Program) -> None:
        """It comes back without anything it had, and has to read its state from the broker."""
        one.kill()
        one.wipe()
        one.start()

    def _leave(self, one: Program) -> None:
        if one.running():
            one.stop()
        one.start()

    def _freeze(self, one: Program) -> None:
        """Taken for dead, it wakes up in the middle of what it was about to do, and must not be heard any more."""
        if not one.running():
            return
        one.signal(signal.SIGSTOP)
        time.sleep(SESSION_SECONDS + self.chance.uniform(0.5, 3))  # the one wait that no event can stand for
        one.signal(signal.SIGCONT)

    def _broker(self, one: Program) -> None:
        self.broker.kill()
        self.broker.start()

    def _all(self, one: Program) -> None:
        for program in self.job.programs:
            program.kill()
        self.broker.kill()
        self.broker.start()
        for program in self.job.programs:
            program.start()

    def _supervise(self) -> None:
        """Whoever ended by itself is started again, as a supervisor would."""
        for program in self.job.programs:
            if not program.running():
                assert program.process is not None
                self.tally.ended[f"exit {program.process.returncode}"] += 1
                ended = f"{program.name} ended by itself, {program.process.returncode}:\n{program.last_words()}"
                print(ended, flush=True)
                self.vain = self.vain + 1 if self.watcher.count == self.known else 1
                self.known = self.watcher.count
                if self.vain > ENDS:
                    raise Lost(f"{self.vain} ends in a row with nothing new between them; {ended}")
                program.start()

    def _progress(self, reached: Callable[[], bool], what: str) -> None:
        count, patience = -1, Patience(PATIENCE)
        while not reached():
            if self.watcher.failure:
                raise Lost(f"the reader was refused: {self.watcher.failure}")
            if self.watcher.count != count:
                count = self.watcher.count
                patience.again()
            if patience.ended():
                seen = account(self.broker, self.job.programs, self.directory)
                words = "\n".join(f"{p.name}:\n{p.last_words()}" for p in self.job.programs)
                raise Lost(f"{what}, but for {PATIENCE:.0f} s there are {count}, see {seen}\n{words}")
            self._supervise()
            time.sleep(0.1)

    def _compare(self) -> None:
        """All that is there, read anew, against the batch computation and against what was shown meanwhile."""
        found: dict[str, dict[bytes | None, list[bytes]]] = {}
        for topic, partitions in self.job.outputs.items():
            found[topic] = defaultdict(list)
            for partition in range(partitions):
                self._nothing_hangs(topic, partition)
                for message in read(self.broker.bootstrap, topic, partition, 0, COMMITTED):
                    found[topic][message.key()].append(message.value())
                    self.tally.records += 1
        self.watcher.close()
        if otherwise := self.job.difference(found):
            raise Lost(otherwise)
        if found != self.watcher.seen:
            raise Lost("what was shown as committed is not what is there in the end")
        if "Traceback" in (log := self.broker.log()):
            raise Lost("the broker's log has a traceback:\n" + log[log.index("Traceback") - 500 :][:3_000])

    def _nothing_hangs(self, topic: str, partition: int) -> None:
        """The last stable offset gets to the end: every transaction that was left open has been ended."""
        here = TopicPartition(topic, partition)
        stable, every = consumer(self.broker.bootstrap, **COMMITTED), consumer(self.broker.bootstrap)
        try:
            patience = Patience(PATIENCE)
            while True:
                ends = [_end(reader, here) for reader in (stable, every)]
                if ends[0] == ends[1]:
                    return
                if patience.ended():
                    seen = account(self.broker, (), self.directory)
                    raise Lost(f"{topic}-{partition} is stable up to {ends[0]} only, it ends at {ends[1]}, see {seen}")
                time.sleep(0.2)
        finally:
            stable.close()
            every.close()

    def close(self) -> None:
        for program in self.job.programs:
            program.kill()
        self.broker.kill()


def _end(reader: Consumer, where: TopicPartition) -> int:
    """Where its reading ends: the high watermark, or the last stable offset."""
    return int(patiently(lambda: reader.get_watermark_offsets(where, timeout=10))[1])


def run(
    kind: str,
    job: type[Job],
    directory: pathlib.Path,
    rounds: int,
    seed: int,
    tally: Tally,
    seconds: float = math.inf,
    spared: Collection[str] = (),
) -> str | None:
    """So many rounds, or as many as begin in so many seconds; what was otherwise than it should be, or None.

    ``spared`` names what isn't done to anybody.
    """
    trial = Trial(kind, job, directory, random.Random(seed), tally, spared)
    try:
        trial.run(rounds, seconds)
    except Lost as loss:
        return f"round {tally.rounds}, seed {seed}, in {directory}: {loss}"
    finally:
        trial.close()
    return None
