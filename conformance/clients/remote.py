"""Clients of other languages: a small program for each toolchain, spoken to in JSON lines over its stdin and stdout.

One request at a time, one line each: `{"do": VERB, …}` is answered by `{"ok": RESULT}`, `{"failed": CODE, "detail":
TEXT}` or `{"unanswered": TEXT}`. Delivery reports, `{"sent": TICKET, …}`, come whenever the client has them. Bytes are
base64. A program serves all scenarios of a test process, because starting a JVM costs more than a scenario does; one
that falls silent or dies is replaced for the next scenario.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import itertools
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.clients import Cannot, Done, Failed, Message, Received, Sent, Unanswered, toolchains

PATIENCE = 60.0  # seconds that a program may take beyond the time a request allows it


def text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def data(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def received(record: Mapping[str, Any]) -> Received:
    return Received(
        record["topic"],
        record["partition"],
        record["offset"],
        record["timestamp"],
        data(record["key"]),
        data(record["value"]),
        tuple((name, data(value)) for name, value in record.get("headers") or ()),
    )


class Program:
    """The process; its answers arrive through one thread that also hands out the delivery reports."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            toolchains.command(name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            env=dict(os.environ),
        )
        self.answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.waiting: dict[int, Done] = {}
        self.tickets = itertools.count(1)
        self.asking, self.writing = threading.Lock(), threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()
        atexit.register(self.close)
        self.hello: dict[str, Any] = {"cannot": {}}
        self.hello = self.ask("hello")

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if (ticket := said.get("sent")) is None:
                self.answers.put(said)
            elif (done := self.waiting.pop(ticket, None)) is not None:
                if "failed" in said:
                    done(Failed(said["failed"], said.get("detail", "")))
                else:
                    done(Sent(said["partition"], said["offset"]))
        self.answers.put(None)

    def needs(self, ability: str, wanted: object = True) -> None:
        """Whatever a scenario asks for, named in `cannot`, ends the scenario before the client is asked."""
        if wanted and (reason := self.hello["cannot"].get(ability)):
            raise Cannot(f"{self.name} cannot: {reason}")

    def write(self, request: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with self.writing:
            try:
                self.process.stdin.write(json.dumps(request).encode() + b"\n")
                self.process.stdin.flush()
            except (BrokenPipeError, ValueError):
                raise self.died() from None

    def ask(self, do: str, *, within: float = 0, **fields: Any) -> Any:
        self.needs(do)
        with self.asking:
            self.write({"do": do} | fields)
            try:
                said = self.answers.get(timeout=within + PATIENCE)
            except queue.Empty:
                self.close()
                raise AssertionError(f"{self.name} didn't answer {do}:\n{self.last_words()}") from None
        if said is None:
            raise self.died()
        if "failed" in said:
            raise Failed(said["failed"], said.get("detail", ""))
        if "unanswered" in said:
            raise Unanswered(f"{self.name}: {said['unanswered']}")
        return said["ok"]

    def send(self, done: Done, **fields: Any) -> None:
        ticket = next(self.tickets)
        self.waiting[ticket] = done
        self.write({"do": "send", "ticket": ticket} | fields)

    def died(self) -> AssertionError:
        self.close()
        return AssertionError(f"{self.name}'s program ended:\n{self.last_words()}")

    def last_words(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read()[-3000:].decode(errors="replace")

    def running(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.close()


class Producer:
    def __init__(self, program: Program, bootstrap: str, options: Mapping[str, object]) -> None:
        program.needs(f"codec {options.get('codec')}")
        program.needs(f"acks {options.get('acks')}")
        program.needs("idempotent", options.get("idempotent"))
        program.needs("transactions", options.get("transactional"))
        self.program = program
        self.handle = program.ask("producer", bootstrap=bootstrap, options=options)

    def start(self, topic: str, message: Message, done: Done) -> None:
        self.program.needs("headers", message.headers)
        self.program.send(
            done,
            producer=self.handle,
            topic=topic,
            partition=message.partition,
            key=text(message.key),
            value=text(message.value),
            headers=[[name, text(value)] for name, value in message.headers],
            timestamp=message.timestamp,
        )

    def flush(self, timeout: float) -> None:
        self.program.ask("flush", within=timeout, producer=self.handle, timeout=timeout)

    def begin(self) -> None:
        self.program.ask("begin", producer=self.handle)

    def commit(self) -> None:
        self.program.ask("commit_transaction", producer=self.handle)

    def abort(self) -> None:
        self.program.ask("abort", producer=self.handle)

    def send_offsets(self, consumer: Any, offsets: Mapping[tuple[str, int], int]) -> None:
        listed = [[topic, partition, at] for (topic, partition), at in offsets.items()]
        self.program.ask("send_offsets", producer=self.handle, consumer=consumer.handle, offsets=listed)

    def close(self) -> None:
        self.program.ask("close_producer", producer=self.handle)


class Consumer:
    def __init__(
        self, program: Program, bootstrap: str, group: str, topics: Sequence[str], options: Mapping[str, object]
    ) -> None:
        program.needs("groups")
        program.needs(str(options.get("strategy")))
        program.needs("static", options.get("instance"))
        self.program = program
        self.handle = program.ask("consumer", bootstrap=bootstrap, group=group, topics=list(topics), options=options)

    def poll(self, timeout: float) -> list[Received]:
        said = self.program.ask("poll", within=timeout, consumer=self.handle, timeout=timeout)
        return [received(record) for record in said["records"]]

    def assignment(self) -> set[tuple[str, int]]:
        return {(topic, partition) for topic, partition in self.program.ask("assignment", consumer=self.handle)}

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        listed = None if offsets is None else [[topic, partition, at] for (topic, partition), at in offsets.items()]
        self.program.ask("commit", consumer=self.handle, offsets=listed)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self.program.ask("seek", consumer=self.handle, topic=topic, partition=partition, offset=offset)

    def close(self) -> None:
        self.program.ask("close_consumer", consumer=self.handle)


class Admin:
    def __init__(self, program: Program, bootstrap: str) -> None:
        self.program = program
        self.handle = program.ask("admin", bootstrap=bootstrap)

    def ask(self, do: str, **fields: Any) -> Any:
        return self.program.ask(do, admin=self.handle, **fields)

    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None:
        self.program.needs("topic configs", configs)
        self.program.needs("validate_only", validate_only)
        more = {"configs": dict(configs or {}), "replicas": replicas, "validate_only": validate_only}
        self.ask("create", topic=topic, partitions=partitions, **more)

    def delete(self, topic: str) -> None:
        self.ask("delete", topic=topic)

    def topics(self) -> dict[str, int]:
        return dict(self.ask("topics"))

    def grow(self, topic: str, partitions: int) -> None:
        self.ask("grow", topic=topic, partitions=partitions)

    def configs(self, topic: str) -> dict[str, str | None]:
        return dict(self.ask("configs", topic=topic))

    def alter(self, topic: str, configs: Mapping[str, str]) -> None:
        self.ask("alter", topic=topic, configs=dict(configs))

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        return int(self.ask("delete_records", topic=topic, partition=partition, before=before))

    def groups(self) -> set[str]:
        return set(self.ask("groups"))

    def members(self, group: str) -> list[tuple[str, str | None]]:
        return [(client_id, instance or None) for client_id, instance in self.ask("members", group=group)]

    def group_state(self, group: str) -> str:
        return str(self.ask("group_state", group=group))

    def committed(self, group: str, topic: str) -> dict[int, int]:
        return dict(self.ask("committed", group=group, topic=topic))

    def alter_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        self.ask("alter_offsets", group=group, topic=topic, offsets=[[p, at] for p, at in offsets.items()])

    def delete_offsets(self, group: str, topic: str, partitions: Sequence[int]) -> None:
        self.ask("delete_offsets", group=group, topic=topic, partitions=list(partitions))

    def delete_group(self, group: str) -> None:
        self.ask("delete_group", group=group)

    def brokers(self) -> dict[int, tuple[str, int]]:
        return {broker: (host, port) for broker, host, port in self.ask("brokers")}

    def broker_configs(self, broker: int) -> dict[str, str | None]:
        return dict(self.ask("broker_configs", id=broker))

    def close(self) -> None:
        self.ask("close_admin")


programs: dict[str, Program] = {}


def program(name: str) -> Program:
    """The one of this process; a new one where the last has died."""
    if name not in programs or not programs[name].running():
        programs[name] = Program(name)
    return programs[name]


def missing(name: str) -> str | None:
    try:
        toolchains.command(name)
    except toolchains.Missing as what:
        return str(what)
    return None


class Driver:
    def __init__(self, name: str, bootstrap: str) -> None:
        self.name = name
        self.bootstrap = bootstrap
        self.program = program(name)
        self.cannot: Mapping[str, str] = self.program.hello["cannot"]
        self.hides = frozenset(int(code) for code in self.program.hello["hides"])

    def version(self) -> str:
        return str(self.program.hello["version"])

    def producer(self, **options: object) -> Producer:
        return Producer(self.program, self.bootstrap, options)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        return Consumer(self.program, self.bootstrap, group, topics, options)

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        where: dict[str, Any] = {"bootstrap": self.bootstrap, "topic": topic, "partition": partition, "start": start}
        said = self.program.ask("read", within=timeout, count=count, timeout=timeout, options=options, **where)
        return [received(record) for record in said][:count]

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        fields: dict[str, Any] = {"bootstrap": self.bootstrap, "topic": topic, "partition": partition}
        found = self.program.ask("offset_at", timestamp=timestamp, **fields)
        return None if found is None else int(found)

    def partitions(self, topic: str) -> int:
        return int(self.program.ask("partitions", bootstrap=self.bootstrap, topic=topic))

    def admin(self) -> Admin:
        return Admin(self.program, self.bootstrap)
