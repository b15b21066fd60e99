"""Tools' words as files: what to type, and what Apache Kafka's tools say then, word for word.

    $ kafka-topics --create --topic @orders --partitions 3
    Created topic @orders.

`$` runs a tool (`%`: its lines may come in any order) and `<` are lines for its stdin. `@orders` is a name that nobody
else uses, `@broker` an address, `@tmp` a directory; the address is added where a line doesn't name it. `[exit 1]` ends
what failed, `!` was said on stderr. `…` at the end of a line stands for anything: texts that are the broker's own.
Blanks count once, and what never repeats itself (ids, times) has a name in capitals.

`write FILE` (what `<` says), `show FILE` and `produce TOPIC` (`<` partition, timestamp, key, value) are no tools.
REWRITE=1 writes what the broker asked says; what matches stays as it is.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from conformance.clients import Message, produce
from conformance.clients import client as make_client
from conformance.tools import Tools

AT_THE_END = {"kafka-cluster"}  # a tool of subcommands that takes the address after them
WITHOUT_ADDRESS = {"kafka-dump-log"}
ASKING = ("--describe", "--list", "--verify", "kafka-get-offsets")  # may be asked again: a change may take a moment
NOT_WORDS = re.compile(  # logs, stacks, advertisements
    r"\tat |Caused by:|\t\.\.\.|\[[^\]]*\] (WARN|ERROR|INFO) |[\w.$]+(Exception|Error)\b"
    r"|The consumer rebalance protocol"
    r"|\s*min\.insync\.replicas=1 sensitive"  # Kafka's controller sets it for the whole cluster
)
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ID = re.compile(r"(?<![\w/.-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z0-9])[\w-]{22}(?![\w-])")
names = itertools.count()


@dataclass
class Step:
    """One command with its input, and the lines that it is expected to say."""

    command: str
    sorted: bool = False
    before: list[str] = field(default_factory=list)  # comments and empty lines
    stdin: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def text(self) -> Iterator[str]:
        yield from self.before
        yield f"{'%' if self.sorted else '$'} {self.command}"
        yield from (f"< {line}".rstrip() for line in self.stdin)
        yield from self.said


def parse(text: str) -> list[Step]:
    steps: list[Step] = []
    before: list[str] = []
    for line in text.splitlines():
        if line.startswith(("$ ", "% ")):
            steps.append(Step(line[2:], line[0] == "%", before))
            before = []
        elif line.startswith("<"):
            steps[-1].stdin.append(line[2:])
        elif not line or line.startswith("#"):
            before.append(line)
        else:
            steps[-1].said.append(line)
    return steps


def matches(expected: list[str], said: list[str]) -> bool:
    return len(expected) == len(said) and all(
        have.startswith(want[:-1]) if want.endswith("…") else have == want
        for want, have in zip(expected, said, strict=True)
    )


class Player:
    def __init__(self, tools: Tools, bootstrap: str, directory: pathlib.Path) -> None:
        self.tools = tools
        self.bootstrap = bootstrap
        self.names = {"broker": bootstrap, "tmp": str(directory), "port": bootstrap.rpartition(":")[2]}

    def real(self, text: str) -> str:
        """`@name` as it is called here."""

        def name(found: re.Match[str]) -> str:
            if found[1] not in self.names:
                self.names[found[1]] = f"{found[1]}-{os.getpid()}-{next(names)}"
            return self.names[found[1]]

        return re.sub(r"@([a-z]+)", name, text)

    def plain(self, line: str) -> str:
        """A line as it stands in a transcript."""
        for name, real in sorted(self.names.items(), key=lambda item: -len(item[1])):
            line = line.replace(real, f"@{name}")
        line = re.sub(r'"/[^"]*"', '"@data"', line)
        line = UUID.sub("UUID", line)
        line = ID.sub("ID", line)
        line = re.sub(r"\b\d{13}\b", lambda t: "TIME" if abs(int(t[0]) / 1000 - time.time()) < 86400 else t[0], line)
        line = re.sub(r"(?<=Configs: )min\.insync\.replicas=1(,|$)", "", line)
        return re.sub(r"\s+", " ", line).strip()

    def play(self, step: Step) -> list[str]:
        words = shlex.split(self.real(step.command))
        stdin = [self.real(line) for line in step.stdin]
        match words[0]:
            case "write":
                pathlib.Path(words[1]).write_text("\n".join(stdin) + "\n")
                lines = []
            case "show":
                lines = pathlib.Path(words[1]).read_text().splitlines()
            case "produce":
                self.produce(words[1], stdin)
                lines = []
            case tool:
                lines = self.run(tool, words[1:], "".join(f"{line}\n" for line in stdin))
        said = [plain for line in lines if (plain := self.plain(line))]
        return sorted(said) if step.sorted else said

    def run(self, tool: str, args: list[str], stdin: str) -> list[str]:
        if self.bootstrap not in " ".join(args) and tool not in WITHOUT_ADDRESS:
            address = ["--bootstrap-server", self.bootstrap]
            args = args + address if tool in AT_THE_END else address + args
        ended = self.tools.run(tool, *args, stdin=stdin)
        lines = [line for line in ended.out.splitlines() if not NOT_WORDS.match(line)]
        for line in ended.err.splitlines():
            if re.match(r"Option\s+Description", line):
                break
            if line.strip() and not NOT_WORDS.match(line):
                lines.append(f"! {line}")
        return lines + ([f"[exit {ended.code}]"] if ended.code else [])

    def produce(self, topic: str, lines: list[str]) -> None:
        messages = []
        for line in lines:
            partition, timestamp, key, value = line.split(" ", 3)
            messages.append(Message(value.encode(), key.encode(), (), int(partition), int(timestamp)))
        client = make_client("confluent", self.bootstrap)
        for message in messages:  # one batch each, so that offsets and times are what the lines say
            produce(client, topic, [message])


def differences(player: Player, steps: list[Step]) -> Iterator[str]:
    """What was said otherwise, step by step; with REWRITE the steps take what was said."""
    for step in steps:
        for pause in (0.1, 0.3, 1, 0):
            said = player.play(step)
            if matches(step.said, said) or not any(word in step.command for word in ASKING):
                break
            time.sleep(pause)
        if not matches(step.said, said):
            yield "\n".join([f"$ {step.command}", *(f"  - {x}" for x in step.said), *(f"  + {x}" for x in said)])
            step.said = said
