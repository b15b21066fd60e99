"""Which brokers and which clients a scenario meets, and the account of what became of each of them.

    pytest conformance --broker pykafkad|apache|both|apache-pair|apache-cluster|HOST:PORT   --client confluent,kcat|all

A scenario that takes `client` runs once for each client and broker. `topic` is a name nobody else uses; `admin` is a
confluent-kafka admin client for what a scenario arranges before it asks. `--results FILE` keeps the outcomes, from
which `python -m conformance.report` writes REPORT.md.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from conformance import brokers, outcomes
from conformance.arrange import Arranger
from conformance.clients import CLIENTS, LOCAL, Admin, Cannot, Client, available
from conformance.clients import client as make_client
from conformance.tools import Tools

SETTINGS = {
    "auto.create.topics.enable": "false",
    "group.min.session.timeout.ms": "1000",
    "group.max.session.timeout.ms": "60000",
}
SEVERAL = {
    "both": ["pykafkad", "apache"],
    "apache-pair": ["apache", "apache-again"],  # judges the scenarios: one Apache Kafka beside another
}
MISSING_CLIENTS = "CONFORMANCE_MISSING_CLIENTS"
SPARED = {"apache": ("broker", "all")}  # alone and killed, it loses transactions: see README.md
SAVE_SECONDS = 30
counter = itertools.count()
versions: dict[str, str] = {}
kept = pytest.StashKey[outcomes.Outcomes]()


class Given:
    """A broker that somebody else runs: no process to signal, no log to read."""

    kind = "given"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def log(self) -> str:
        return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    chosen = os.environ.get("BROKER", "pykafkad")
    known = ", ".join([*brokers.KINDS, *SEVERAL])
    parser.addoption("--broker", default=chosen, help=f"{known}, or an address")
    parser.addoption("--client", default=os.environ.get("CLIENT", ",".join(LOCAL)), help="clients with commas, or all")
    parser.addoption(
        "--apache", default="", help="addresses of running Apache Kafkas to use, with commas: one, or a pair"
    )
    parser.addoption("--results", type=pathlib.Path, help="a JSON file that is to hold the outcomes")


def pytest_configure(config: pytest.Config) -> None:
    # Stock clients are judged by what they send, not by the warnings of their own code.
    config.known_args_namespace.pythonwarnings = ["ignore"]
    config.addinivalue_line("markers", "ours: judges only our broker: promises that Apache Kafka doesn't make")
    config.addinivalue_line("markers", "only(*clients): asks what these clients alone have, whoever else is asked")
    config.stash[kept] = outcomes.Outcomes()
    where: pathlib.Path | None = config.getoption("--results")
    if where is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Keeper(config.stash[kept], where))


def pytest_unconfigure() -> None:
    warnings.simplefilter("ignore")  # sockets that clients left to the collector are theirs too


def pytest_sessionstart(session: pytest.Session) -> None:
    """What has to be fetched or built is, before any scenario's clock runs."""
    if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        gone = {name: why for name in clients(session.config) if (why := available(name))}
        for name, why in gone.items():
            session.config.stash[kept].missing_client(name, why)
        os.environ[MISSING_CLIENTS] = json.dumps(gone)  # so that no worker tries again
        if "apache" in wanted_kinds(session.config) and (missing := brokers.apache_missing()):
            session.config.stash[kept].missing_broker("apache", missing)
            os.environ[brokers.MISSING] = missing


def wanted_kinds(config: pytest.Config) -> list[str]:
    wanted = config.getoption("--broker")
    return SEVERAL.get(wanted, [wanted])


def kinds(config: pytest.Config) -> list[str]:
    """`both` is the one broker that there is where Apache Kafka can't run; the summary says so."""
    wanted = wanted_kinds(config)
    if config.getoption("--broker") == "both" and brokers.apache_missing():
        return wanted[:1]
    return wanted


def clients(config: pytest.Config) -> list[str]:
    wanted = config.getoption("--client")
    return list(CLIENTS) if wanted == "all" else wanted.split(",")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        chosen = kinds(metafunc.config)
        if metafunc.definition.get_closest_marker("ours"):
            chosen = [k for k in chosen if k == "pykafkad"]
        metafunc.parametrize("kind", chosen, scope="module")
    if "client_name" in metafunc.fixturenames:
        asked: list[Any] = list(clients(metafunc.config))
        if own := metafunc.definition.get_closest_marker("only"):
            asked = [name for name in asked if name in own.args]
            if not asked:
                skipped = pytest.mark.skip(reason=f"only of {', '.join(own.args)}, which wasn't asked")
                asked = [pytest.param(own.args[0], marks=skipped)]
        metafunc.parametrize("client_name", asked)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and (which := outcomes.which(item)):
            item.user_properties.append(("scenario", which))


class Keeper:
    """Hears the reports, in the process that gathers those of all workers, and keeps what they say; now and then before
    the end too, since a matrix takes long and may be broken off."""

    def __init__(self, gathered: outcomes.Outcomes, where: pathlib.Path) -> None:
        self.gathered, self.where = gathered, where
        self.saved = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.gathered.hear(report)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.pytest_sessionfinish()

    def pytest_sessionfinish(self) -> None:
        self.gathered.keep(self.where)
        self.saved = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with left_out():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with left_out():
        return (yield)


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """What a driver finds it cannot ask of its client, at whatever point of a scenario, is skipped with the reason."""
    try:
        yield
    except Cannot as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def apaches(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], brokers.Broker | Given]]:
    """Each Apache Kafka that all modules of this process share, started when the first of them asks."""
    running = filter(None, pytestconfig.getoption("--apache").split(","))
    given = {kind: Given(address) for kind, address in zip(("apache", "apache-again"), running, strict=False)}
    started: dict[str, brokers.Broker] = {}

    def ask(kind: str) -> brokers.Broker | Given:
        if kind in given:
            return given[kind]
        if kind not in started:
            made = brokers.KINDS[kind](tmp_path_factory.mktemp(kind), SETTINGS)
            made.start()
            started[kind] = made
        return started[kind]

    yield ask
    for made in started.values():
        made.kill()


@pytest.fixture(scope="module")
def broker(
    kind: str,
    apaches: Callable[[str], brokers.Broker | Given],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[brokers.Broker | Given]:
    """Ours is new for every module; Apache Kafka is one for the run, because its start costs five seconds."""
    if kind.startswith("apache"):
        if missing := brokers.apache_missing():
            pytest.skip(missing)
        yield apaches(kind)
    elif kind == "pykafkad":
        with brokers.running("pykafkad", tmp_path_factory.mktemp("pykafkad"), SETTINGS) as made:
            yield made
    else:
        yield Given(kind)


@pytest.fixture(scope="session")
def tools() -> Iterator[Tools]:
    if missing := brokers.apache_missing():
        pytest.skip(missing)
    if shutil.which("javac") is None:
        pytest.skip("Kafka's tools are left out: javac is missing (apt-get install openjdk-17-jdk-headless)")
    made = Tools()
    yield made
    made.close()


Starter = Callable[..., brokers.Broker]


@pytest.fixture(scope="module")
def mortals() -> Iterator[dict[object, brokers.Broker]]:
    """The brokers of this module that scenarios may kill: kept for the next scenario, because starting one is dear."""
    made: dict[object, brokers.Broker] = {}
    yield made
    for broker in made.values():
        broker.kill()


@pytest.fixture
def own_broker(kind: str, mortals: dict[object, brokers.Broker], tmp_path_factory: pytest.TempPathFactory) -> Starter:
    """A broker that this scenario may kill: own_broker(**settings with _ for .). It runs when it is handed out."""
    if kind not in brokers.KINDS or kind == "apache-cluster":
        pytest.skip("this broker isn't ours to kill")
    if kind.startswith("apache") and (missing := brokers.apache_missing()):
        pytest.skip(missing)

    def start(**settings: object) -> brokers.Broker:
        overrides = SETTINGS | {k.replace("_", "."): str(v) for k, v in settings.items()}
        same = (kind, *sorted(overrides.items()))
        if same not in mortals:
            mortals[same] = brokers.KINDS[kind](tmp_path_factory.mktemp(f"mortal-{kind}"), overrides)
        if not mortals[same].running():
            mortals[same].start()
        return mortals[same]

    return start


@pytest.fixture
def live_through(kind: str, tmp_path: pathlib.Path) -> Callable[[str, int], None]:
    """Some rounds of one of ``conformance.peers``' jobs."""

    def run(job: str, rounds: int) -> None:
        from conformance.clients import toolchains
        from conformance.peers import jobs
        from conformance.peers.rounds import Tally
        from conformance.peers.rounds import run as run_rounds

        if kind not in ("pykafkad", "apache"):
            pytest.skip("this broker isn't ours to kill")
        if kind == "apache" and (missing := brokers.apache_missing()):
            pytest.skip(missing)
        try:
            otherwise = run_rounds(
                kind, jobs.JOBS[job], tmp_path, rounds=rounds, seed=1, tally=Tally(), spared=SPARED.get(kind, ())
            )
        except toolchains.Missing as what:
            pytest.skip(f"{job}: {what}")
        assert otherwise is None

    return run


@pytest.fixture
def client(client_name: str, broker: brokers.Broker, request: pytest.FixtureRequest) -> Client:
    if missing := json.loads(os.environ.get(MISSING_CLIENTS, "{}")).get(client_name):
        pytest.skip(missing)
    made = make_client(client_name, broker.bootstrap)
    if client_name not in versions:
        versions[client_name] = made.version()
    request.node.user_properties.append(("version", versions[client_name]))
    return made


@pytest.fixture
def needs() -> Callable[[Client, str], None]:
    """Say what a scenario asks of a client beyond the common; what it cannot is skipped by name, with the reason."""

    def check(client: Client, *abilities: str) -> None:
        for ability in abilities:
            if ability in client.cannot:
                pytest.skip(f"{client.name} cannot: {client.cannot[ability]}")

    return check


@pytest.fixture
def own(client: Client) -> Iterator[Admin]:
    """The admin of the client under test; `admin` is confluent's, for what is arranged."""
    with contextlib.closing(client.admin()) as made:
        yield made


@pytest.fixture(scope="module")
def admin(broker: brokers.Broker) -> Iterator[Arranger]:
    made = Arranger(broker.bootstrap)
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
    gone = terminalreporter.config.stash[kept].missing["brokers"]
    if reasons or gone:
        terminalreporter.section("left out")
        for reason, times in sorted(reasons.items()):
            terminalreporter.write_line(f"{times:3} × {reason}")
        for reason in gone.values():
            terminalreporter.write_line(reason)
