"""Kafka's own console tools, as kafka-*.sh runs them, in one JVM that stays.

`Tools().run("kafka-topics", "--bootstrap-server", …)` gives back what a shell would have seen. A tool that doesn't end
in its time is an assertion error that says where it stood, and the JVM is replaced.
"""

from __future__ import annotations

import json
import pathlib
import selectors
import subprocess
import tempfile
from typing import Any, NamedTuple

from conformance import brokers

RUNNER = pathlib.Path(__file__).parent / "clients/java/tools/Tools.java"
MAINS = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
    "kafka-share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "kafka-streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}
FLAGS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m", "-Duser.timezone=UTC"]
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
GRACE = 20.0  # seconds for the JVM itself beyond what a tool may take


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Tools:
    def __init__(self) -> None:
        self.jvm: subprocess.Popen[bytes] | None = None
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["java", *FLAGS, QUIET, "-cp", f"{brokers.apache_jars()}/*", str(RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
        )

    def run(self, tool: str, *args: str, stdin: str = "", timeout: float = 60) -> Ended:
        if self.jvm is None:
            self.jvm = self.start()
        assert self.jvm.stdin is not None
        request = {"main": MAINS[tool], "args": args, "stdin": stdin, "millis": int(timeout * 1000)}
        try:
            self.jvm.stdin.write(json.dumps(request).encode() + b"\n")
            self.jvm.stdin.flush()
            line = self.line(timeout + GRACE)
        except BaseException:  # its answer must not be taken for the next one's
            self.close()
            raise
        said: dict[str, Any] = json.loads(line) if line else {"hung": self.last_words(), "out": "", "err": ""}
        if "hung" in said:
            self.close()
            raise AssertionError(f"{tool} {' '.join(args)} didn't end:\n{said['out']}{said['err']}\n{said['hung']}")
        return Ended(said["code"], said["out"], said["err"])

    def run_alone(self, tool: str, *args: str, timeout: float = 60) -> Ended:
        """In a JVM of its own, for what does its work in a shutdown hook."""
        words = ["java", *FLAGS, QUIET, "-cp", f"{brokers.apache_jars()}/*", MAINS[tool], *args]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        return Ended(done.returncode, done.stdout, done.stderr)

    def line(self, timeout: float) -> bytes:
        """The JVM's next line; nothing when it is silent for too long or has died."""
        assert self.jvm is not None and self.jvm.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.jvm.stdout, selectors.EVENT_READ)
            return self.jvm.stdout.readline() if selector.select(timeout) else b""

    def last_words(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read()[-3000:].decode(errors="replace")

    def close(self) -> None:
        if self.jvm is not None:
            self.jvm.kill()
            self.jvm.wait()
            self.jvm = None
