"""Kafka Streams: a word count and two joins in one application of two instances."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from conformance.peers.job import Job, Send
from conformance.peers.program import Program, java

WORDS = [f"word{n}".encode() for n in range(60)]
CUSTOMERS = 150
PREFIX = "streams-"
INSTANCES = 2


class Streams(Job):
    inputs = {f"{PREFIX}{name}": 2 for name in ("lines", "orders", "payments", "customers")}
    outputs = {f"{PREFIX}{name}": 2 for name in ("counts", "paid", "named")}

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        words = java("streams", "Streams")
        for n in range(INSTANCES):
            state = directory / f"streams-{n}" / "state"
            more = [bootstrap, PREFIX, str(state), f"num.standby.replicas={chance.randrange(2)}"]
            self.programs.append(Program(f"streams-{n}", [*words, *more], directory))
        self.lines: list[bytes] = []
        self.orders: dict[bytes, list[bytes]] = defaultdict(list)
        self.payments: dict[bytes, list[bytes]] = defaultdict(list)

    def begin(self, send: Send) -> None:
        for n in range(CUSTOMERS):
            send(f"{PREFIX}customers", n % 2, b"%d" % n, b"customer%d" % n)

    def burst(self, send: Send) -> None:
        for _ in range(3):
            line = b" ".join(self.chance.choices(WORDS, k=4))
            send(f"{PREFIX}lines", len(self.lines) % 2, None, line)
            self.lines.append(line)
        customer = self.chance.randrange(CUSTOMERS + 1)  # one of them isn't in the table
        key = b"%d" % customer
        for name, kept in (("orders", self.orders), ("payments", self.payments)):
            if self.chance.random() < 0.4:
                value = b"%s%d" % (name[:1].encode(), len(kept[key]))
                send(f"{PREFIX}{name}", customer % 2, key, value)
                kept[key].append(value)

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        counts: dict[bytes | None, list[bytes]] = defaultdict(list)
        for line in self.lines:
            for word in line.split():
                counts[word].append(b"%d" % (len(counts[word]) + 1))
        paid: dict[bytes | None, list[bytes]] = {
            key: [order + b"|" + payment for order in orders for payment in self.payments.get(key, ())]
            for key, orders in self.orders.items()
        }
        named: dict[bytes | None, list[bytes]] = {
            key: [order + b"@customer" + key for order in orders]
            for key, orders in self.orders.items()
            if int(key) < CUSTOMERS
        }
        return {f"{PREFIX}counts": counts, f"{PREFIX}paid": paid, f"{PREFIX}named": named}

    def in_order(self, topic: str) -> bool:
        return topic != f"{PREFIX}paid"
