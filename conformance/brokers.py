"""Brokers as subprocesses on free loopback ports with their own directories: ours, and Apache Kafka where Java is.

A started broker is ready when it answers ApiVersions. `kill` is SIGKILL, `stop` is SIGTERM and waits; both leave the
directory and the port, so that `start` continues where the process was. A broker dies with whoever started it: a test
process that crashes leaves nothing behind.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from conformance.patience import Patience

APACHE_VERSION = os.environ.get("APACHE_KAFKA_VERSION", "4.3.1")
CACHE = pathlib.Path(os.environ.get("APACHE_KAFKA_CACHE", pathlib.Path.home() / ".cache/apache-kafka"))
ROOT = pathlib.Path(__file__).resolve().parent.parent
RESOLVE_SECONDS = 600
MISSING = "APACHE_KAFKA_MISSING"  # an environment variable: somebody has found out already, and why
MARKERS = "kafka.coordinator.transaction.TransactionMarkerChannelManager"
"""The one class of Apache Kafka that says more than warnings: when it leaves out a transaction's markers, and why."""
API_VERSIONS = bytes.fromhex("0000000a00120000000000010000")

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>pykafkad</groupId><artifactId>reference</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{}</dependencies></project>"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


class NotStarted(Exception):
    """The process ended, or didn't answer in time; the text carries the end of its log."""


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as held:  # all held until all are known, so that no two are the same
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as s:
        s.sendall(API_VERSIONS)
        return len(s.recv(8)) == 8
    return False


@functools.cache
def dying_with_parent() -> list[str]:
    """What to put before a command so that the kernel kills it when its parent has died, however that came about."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


class Broker:
    """One broker process; the two kinds differ in the command line and in what must happen before the first start."""

    kind: str
    patience = 60.0  # half a second on an idle machine

    def __init__(self, directory: pathlib.Path, overrides: Mapping[str, object] | None = None) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.overrides = {k: str(v) for k, v in (overrides or {}).items()}
        self.log_file = self.directory / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def data(self) -> pathlib.Path:
        return self.directory / "data"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def spawn(self) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*dying_with_parent(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment(),
                start_new_session=True,
            )

    def start(self) -> float:
        """Seconds from the process's start to its first answer."""
        began = time.monotonic()
        self.spawn()
        self.await_answer()
        return time.monotonic() - began

    def await_answer(self) -> None:
        patience = Patience(self.patience)
        while not answers(self.port):
            if not self.running() or patience.ended():
                self.kill()
                raise NotStarted(f"{self.kind} didn't start:\n{self.log()[-3000:]}")
            time.sleep(0.005)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def restart(self) -> float:
        self.stop()
        return self.start()


class Pykafkad(Broker):
    kind = "pykafkad"

    def __init__(self, directory: pathlib.Path, overrides: Mapping[str, object] | None = None) -> None:
        super().__init__(directory, overrides)
        self.http = free_ports(1)[0]

    def settings(self) -> dict[str, str]:
        return {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self.data),
            "http.listen": f"127.0.0.1:{self.http}",
            "group.initial.rebalance.delay.ms": "0",
        } | self.overrides

    def command(self) -> list[str]:
        return [sys.executable, "-m", "pykafkad", "serve"] + [
            word for k, v in self.settings().items() for word in ("--override", f"{k}={v}")
        ]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "protocol"), os.environ.get("PYTHONPATH")]))
        return dict(os.environ) | {"PYTHONPATH": path}


class Apache(Broker):
    """Apache Kafka in KRaft mode, broker and controller in one process, from Maven Central's jars."""

    kind = "apache"
    patience = 240.0  # two seconds on an idle machine

    def __init__(
        self, directory: pathlib.Path, overrides: Mapping[str, object] | None = None, *, heap: str = "512M"
    ) -> None:
        super().__init__(directory, overrides)
        self.port, self.controller = free_ports(2)
        self.heap = heap
        self.node_id = 1
        self.voters: Sequence[Apache] = ()  # the nodes of a cluster, this one among them; none: alone

    def java(self, main: str, *args: str, heap: str = "") -> list[str]:
        flags = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"] if heap else ["-Xmx256M"]
        logging = [
            f"-Dorg.slf4j.simpleLogger.log.{MARKERS}=info",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
        ]
        return ["java", *flags, *logging, "-cp", f"{apache_jars()}/*", main, *args]

    def settings(self) -> dict[str, str]:
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}"
        own = {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "log.dirs": str(self.data),
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        return own | self.quorum() | self.overrides | self.advertised()

    def quorum(self) -> dict[str, str]:
        if not self.voters:
            return {"controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller}"}
        copies = str(len(self.voters))
        return {
            "controller.quorum.voters": ",".join(f"{v.node_id}@127.0.0.1:{v.controller}" for v in self.voters),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "2",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": "2",
        }

    def advertised(self) -> dict[str, str]:
        """A scenario names the clients' address only; a KRaft node wants its controller's beside it."""
        if wanted := self.overrides.get("advertised.listeners"):
            return {"advertised.listeners": f"{wanted},CONTROLLER://127.0.0.1:{self.controller}"}
        return {}

    def format(self, cluster_id: str) -> None:
        """What Kafka wants done to an empty directory before its first start."""
        words = ["format", "-t", cluster_id, "-c", str(self.properties())] + ([] if self.voters else ["--standalone"])
        done = subprocess.run(self.java("kafka.tools.StorageTool", *words), capture_output=True, text=True)
        if done.returncode:
            raise NotStarted(f"format failed:\n{done.stdout}{done.stderr}")

    def properties(self) -> pathlib.Path:
        where = self.directory / "server.properties"
        where.write_text("".join(f"{k}={v}\n" for k, v in self.settings().items()))
        return where

    def command(self) -> list[str]:
        if not (self.data / "meta.properties").exists():
            self.format(new_cluster_id())
        return self.java("kafka.Kafka", str(self.properties()), heap=self.heap)


def new_cluster_id() -> str:
    return "A" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]


class ApacheCluster:
    """Three Apache Kafka nodes, each broker and controller, that keep three copies of whatever is internal."""

    kind = "apache-cluster"

    def __init__(
        self, directory: pathlib.Path, overrides: Mapping[str, object] | None = None, *, nodes: int = 3
    ) -> None:
        self.nodes = [Apache(directory / f"node-{i + 1}", overrides) for i in range(nodes)]
        for i, node in enumerate(self.nodes):
            node.node_id, node.voters = i + 1, self.nodes

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    def log(self) -> str:
        return "\n".join(node.log() for node in self.nodes)

    def start(self) -> float:
        """Seconds until all of them answer; a controller wants a second one before it is one."""
        began = time.monotonic()
        cluster_id = new_cluster_id()
        for node in self.nodes:
            if not (node.data / "meta.properties").exists():
                node.format(cluster_id)
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.await_answer()
        return time.monotonic() - began

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


class Unresolved(Exception):
    """Maven couldn't bring Apache Kafka's jars: one line, with the first thing that Maven complained of."""


def apache_missing() -> str | None:
    """None when Apache Kafka can run here, else the one line that says what is missing."""
    if MISSING in os.environ:
        return os.environ[MISSING]
    if shutil.which("java") is None:
        return "Apache Kafka is left out: java is missing (apt-get install openjdk-17-jre-headless)"
    try:
        apache_jars()
    except Unresolved as why:
        return f"Apache Kafka is left out: {why}"
    return None


@functools.cache
def apache_jars() -> pathlib.Path:
    """The directory of jars, resolved once through Maven and kept; of several processes one resolves, the rest wait."""
    where = CACHE / APACHE_VERSION
    if (where / "done").exists():
        return where / "libs"
    if shutil.which("mvn") is None:
        raise Unresolved("mvn is missing and its jars aren't cached (apt-get install maven)")
    where.mkdir(parents=True, exist_ok=True)
    with (where / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (where / "done").exists():
            resolve(where)
            (where / "done").touch()
    return where / "libs"


def resolve(where: pathlib.Path) -> None:
    wanted = [
        ("org.apache.kafka", "kafka_2.13", APACHE_VERSION),
        ("org.apache.kafka", "kafka-tools", APACHE_VERSION),
        ("org.slf4j", "slf4j-simple", "1.7.36"),
    ]
    (where / "pom.xml").write_text(POM.format("".join(DEPENDENCY.format(*w) for w in wanted)))
    words = ["mvn", "-q", "-B", "-f", str(where / "pom.xml"), "dependency:copy-dependencies"]
    words += ["-DincludeScope=runtime", f"-DoutputDirectory={where}/libs"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RESOLVE_SECONDS)
    except subprocess.TimeoutExpired:
        raise Unresolved(f"Maven didn't bring its jars within {RESOLVE_SECONDS} s") from None
    if done.returncode:
        complaint = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
        raise Unresolved(f"Maven couldn't bring its jars: {complaint[:300]}")


KINDS: dict[str, Callable[..., Broker]] = {
    "pykafkad": Pykafkad,
    "apache": Apache,
    "apache-again": Apache,
    "apache-cluster": ApacheCluster,  # type: ignore[dict-item]
}


@contextlib.contextmanager
def running(kind: str, directory: pathlib.Path, overrides: Mapping[str, object] | None = None) -> Iterator[Broker]:
    broker = KINDS[kind](directory, overrides)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
