"""Which brokers and which clients a scenario meets, and the account of what could not be asked.

    pytest conformance --broker pykafkad|apache|both|HOST:PORT   --client confluent,kcat

A scenario that takes `client` runs once for each client and broker. `topic` is a name nobody else uses; `admin` is a
confluent-kafka admin client for what a scenario arranges before it asks.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from conformance import brokers
from conformance.clients import LOCAL, Admin, Client, available
from conformance.clients import client as make_client

HERE = pathlib.Path(__file__).parent
SETTINGS = {"auto.create.topics.enable": "false", "group.min.session.timeout.ms": "1000"}
counter = itertools.count()


class Given:
    """A broker that somebody else runs: no process to signal, no log to read."""

    kind = "given"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def log(self) -> str:
        return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    chosen = os.environ.get("BROKER", "pykafkad")
    parser.addoption("--broker", default=chosen, help="pykafkad, apache, both, or an address")
    parser.addoption("--client", default=os.environ.get("CLIENT", ",".join(LOCAL)), help="clients, with commas")


def pytest_configure(config: pytest.Config) -> None:
    # Stock clients are judged by what they send, not by the warnings of their own code.
    config.known_args_namespace.pythonwarnings = ["ignore"]
    config.addinivalue_line("markers", "ours: judges only our broker: promises that Apache Kafka doesn't make")


def pytest_unconfigure() -> None:
    warnings.simplefilter("ignore")  # sockets that clients left to the collector are theirs too


def kinds(config: pytest.Config) -> list[str]:
    wanted = config.getoption("--broker")
    return ["pykafkad", "apache"] if wanted == "both" else [wanted]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        chosen = kinds(metafunc.config)
        if metafunc.definition.get_closest_marker("ours"):
            chosen = [k for k in chosen if k == "pykafkad"]
        metafunc.parametrize("kind", chosen, scope="module")
    if "client_name" in metafunc.fixturenames:
        metafunc.parametrize("client_name", metafunc.config.getoption("--client").split(","))


@pytest.fixture(scope="session")
def apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], brokers.Broker]]:
    """The one Apache Kafka that all modules share, started when the first of them asks."""
    started: list[brokers.Broker] = []

    def ask() -> brokers.Broker:
        if not started:
            made = brokers.Apache(tmp_path_factory.mktemp("apache"), SETTINGS)
            made.start()
            started.append(made)
        return started[0]

    yield ask
    for made in started:
        made.kill()


@pytest.fixture(scope="module")
def broker(
    kind: str,
    apache: Callable[[], brokers.Broker],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[brokers.Broker | Given]:
    """Ours is new for every module; Apache Kafka is one for the run, because its start costs five seconds."""
    if kind == "apache":
        if missing := brokers.apache_missing():
            pytest.skip(missing)
        yield apache()
    elif kind == "pykafkad":
        with brokers.running("pykafkad", tmp_path_factory.mktemp("pykafkad"), SETTINGS) as made:
            yield made
    else:
        yield Given(kind)


Starter = Callable[..., brokers.Broker]


@pytest.fixture
def own_broker(kind: str, tmp_path: pathlib.Path) -> Iterator[Starter]:
    """A broker that this scenario may kill: own_broker(**settings with _ for .)."""
    made: list[brokers.Broker] = []
    if kind not in brokers.KINDS:
        pytest.skip("a broker given by address isn't ours to kill")
    if kind == "apache" and (missing := brokers.apache_missing()):
        pytest.skip(missing)

    def start(**settings: object) -> brokers.Broker:
        overrides = SETTINGS | {k.replace("_", "."): str(v) for k, v in settings.items()}
        broker = brokers.KINDS[kind](tmp_path / f"broker-{len(made)}", overrides)
        made.append(broker)
        broker.start()
        return broker

    yield start
    for broker in made:
        broker.kill()


@pytest.fixture
def client(client_name: str, broker: brokers.Broker) -> Client:
    if missing := available(client_name):
        pytest.skip(missing)
    return make_client(client_name, broker.bootstrap)


@pytest.fixture
def needs() -> Callable[[Client, str], None]:
    """Say what a scenario asks of a client beyond the common; what it cannot is skipped by name, with the reason."""

    def check(client: Client, ability: str) -> None:
        if ability in client.cannot:
            pytest.skip(f"{client.name} cannot: {client.cannot[ability]}")

    return check


@pytest.fixture
def admin(broker: brokers.Broker) -> Iterator[Admin]:
    made = make_client("confluent", broker.bootstrap).admin()
    yield made
    made.close()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname.removeprefix('test_')[:60]}-{os.getpid()}-{next(counter)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out and why, read from the reports, so that it is whole when several processes ran."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
    if reasons:
        terminalreporter.section("left out")
        for reason, times in sorted(reasons.items()):
            terminalreporter.write_line(f"{times:3} × {reason}")
