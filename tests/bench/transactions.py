"""What a transaction costs, one after the other, over two partitions: to the broker alone, by librdkafka with more and
more records in each (version 1: partitions are announced before they are written to), by Java's producer (version 2).
"""

from __future__ import annotations

from tests.bench import clients, commits
from tests.bench.figure import Figure, Measure, Run, at_most, within
from tests.bench.frames import create_topics_of
from tests.bench.life import newborn
from tests.bench.stand import Stand

WARM = 2000  # transactions before the first that counts: a JVM spends twice as much on one of its first thousand
RAW, LIBRDKAFKA, JAVA = 2000, 600, 1000


def topic_of(stand: Stand) -> str:
    """The one that all write to, after a warm-up. Deleting one for each run would take longer than all the rest."""

    def make() -> str:
        topic = stand.topic(clients.PARTITIONS)
        commits.apart(commits.Commits(stand.port, topic, stand.scaled(WARM), 0))
        return topic

    made: str = stand.once("transactions: topic", make)
    return made


def raw(stand: Stand) -> Run:
    topic, count = topic_of(stand), stand.scaled(RAW)
    with stand.spent() as spent:
        took = commits.apart(commits.Commits(stand.port, topic, count, count // 10))
    return (
        clients.paced(took.latencies, took.seconds)
        | {
            "cpu_us_txn": spent.cpu / count * 1e6,
            "client": took.cpu / took.seconds * 100,
            "again": took.again / count,
        }
        | spent.noise()
    )


def taken(stand: Stand, client: clients.Transact, count: int, records: int) -> Run:
    topic = topic_of(stand)
    with stand.spent() as spent:
        said = client(stand.bootstrap, topic, count, records)
    beside = {"cpu_us_txn": spent.cpu / said.pop("asked") * 1e6, "client": spent.children / spent.seconds * 100}
    return beside | said | spent.noise()


def librdkafka(records: int, count: int) -> Measure:
    return lambda stand: taken(stand, clients.librdkafka_transact, stand.scaled(count), records)


def java(stand: Stand) -> Run:
    return taken(stand, clients.java_transact, stand.scaled(JAVA), 10)


def first(stand: Stand) -> Run:
    """From init_transactions of a producer that is connected to the end of its first commit, on a broker that has just
    started.
    """
    with newborn(stand) as broker:
        broker.start()
        create_topics_of(broker.port, ["first"], clients.PARTITIONS)
        return clients.librdkafka_transact(broker.bootstrap, "first", 1, 1)


SHOWN = ("txn_s", "cpu_us_txn", "commit_p50_ms", "commit_p99_ms")
GOALS = {"cpu_us_txn": at_most(0.3), "commit_p50_ms": at_most(0.5), "commit_p99_ms": at_most(0.5)}
FIRST = [
    Figure(
        "transactions/first",
        "the first transaction of a new broker",
        first,
        ("first_txn_ms",),
        {"first_txn_ms": within(300)},
        pairs=3,
        weight=8,
        fresh=True,
    )
]
FIGURES = [
    Figure("transactions/raw", "raw sockets, a record for each partition", raw, SHOWN, GOALS, pairs=3, weight=10),
    *(
        Figure(
            f"transactions/{records}",
            f"librdkafka (confluent-kafka), {records:,} record{'s' * (records > 1)}",
            librdkafka(records, count),
            SHOWN,
            GOALS,
            pairs=3,
            weight=5,
        )
        for records, count in ((1, LIBRDKAFKA), (10, LIBRDKAFKA), (100, LIBRDKAFKA // 2), (1000, LIBRDKAFKA // 3))
    ),
    Figure("transactions/java", "Java's producer, 10 records", java, SHOWN, pairs=2, weight=15),
]
