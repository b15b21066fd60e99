"""``pykafkad cluster``, ``health`` and ``serve`` as users see them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Run, Started, start, stop


def test_the_cluster(broker: Started, pykafkad: Run) -> None:
    described = pykafkad("cluster", "describe", "--json").json
    [one] = described["brokers"]
    assert f"{one['host']}:{one['port']}" == broker.address
    assert one["controller"]
    assert pykafkad("cluster", "cluster-id").out.strip() == described["cluster_id"]


def test_its_apis(pykafkad: Run) -> None:
    served = {row["api"]: (row["min"], row["max"]) for row in pykafkad("cluster", "api-versions", "--json").json}
    assert served["Produce"] == (0, 13) or served["Produce"] == (3, 13)
    assert "ApiVersions" in served


def test_health(broker: Started) -> None:
    command = [sys.executable, "-m", "pykafkad", "health", "--http", broker.http]
    for live in ([], ["--live"]):
        assert subprocess.run([*command, *live], capture_output=True, check=False).returncode == 0


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    def ask(broker: Started, *words: str, stdin: str = "") -> str:
        command = [sys.executable, "-m", "pykafkad", *words, "--bootstrap-server", broker.address]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout

    first = start(tmp_path)
    ask(first, "produce", "kept", stdin="a\nb\nc\n")
    assert ask(first, "consume", "kept", "--group", "g", "--from-beginning", "--max-messages", "2") == "a\nb\n"
    stop(first)
    second = start(tmp_path)
    assert ask(second, "groups", "describe", "g", "--state").split()[-2:] == ["Empty", "0"]
    assert ask(second, "consume", "kept", "--group", "g", "--from-beginning", "--max-messages", "1") == "c\n"
    stop(second)


def test_a_port_in_use_is_one_line(broker: Started, tmp_path: Path) -> None:
    words = ["--override", f"listeners=PLAINTEXT://{broker.address}", "--override", f"log.dirs={tmp_path}"]
    command = [sys.executable, "-m", "pykafkad", "serve", *words, "--override", "http.listen=127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode in (1, 2)
    assert broker.address in ended.stderr and ended.stderr.count("\n") == 1
