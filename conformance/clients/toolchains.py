"""Where the programs behind the Java, Node, Go and Rust clients come from: built once, or named as missing.

Each toolchain has one function: the name of a client in, the command that starts its program out. What it builds lies
in `$PYKAFKAD_CONFORMANCE_CACHE/<toolchain>/<fingerprint of the sources>`, so that a changed driver is built again
and the same one never. Several test processes may ask at once: the first builds, the others wait for its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("PYKAFKAD_CONFORMANCE_CACHE", Path.home() / ".cache/pykafkad-conformance"))
BUILD_SECONDS = 1800


class Missing(Exception):
    """The toolchain isn't there, or its packages can't be had: one line that says what to do."""


def need(program: str, hint: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} is missing: {hint}")
    return found


@contextlib.contextmanager
def built(toolchain: str, sources: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """(directory, already there?): whoever is told False builds; a block that ends without an error marks it built."""
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    directory = CACHE / toolchain / digest.hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = directory / "done"
        yield directory, done.exists()
        done.touch()


def run(words: Sequence[str | Path], cwd: Path, **environment: str) -> None:
    """A build step; Missing with the end of what it said when it fails."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=dict(os.environ) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise Missing(f"{words[0]} {words[1]} failed: {done.stdout[-600:].decode(errors='replace')}")


def command(client: str) -> list[str]:
    """The command that starts a client's program; Missing where it can't be had."""
    return TOOLCHAINS[client](client)


def java(client: str) -> list[str]:
    """One source for both releases, but for a class of what they say differently, which each has beside it."""
    which = {"java": "recent", "java-old": "old"}[client]
    sources = [path for folder in ("common", which) for path in (HERE / "java" / folder).glob("*.java")]
    return jvm(client, HERE / "java" / which / "pom.xml", sources, "Driver")


def jvm(name: str, pom: Path, sources: Sequence[Path], main: str) -> list[str]:
    """What starts ``main``, of these sources or of the jars that the pom names."""
    program = need("java", "apt-get install openjdk-17-jdk-headless")
    compiler = need("javac", "apt-get install openjdk-17-jdk-headless")
    with built(name, [pom, *sources]) as (where, there):
        if not there:
            jars = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={where}/libs"]
            run([need("mvn", "apt-get install maven"), "-q", "-B", "-f", pom, *jars], where)
            if sources:
                words: list[str | Path] = ["-Xlint:-deprecation", "-d", where / "classes", "-cp", f"{where}/libs/*"]
                run([compiler, *words, *sources], where)
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [program, *flags, quiet, "-cp", f"{where}/classes:{where}/libs/*", main]


def node(client: str) -> list[str]:
    """The sources run where they are; only their packages lie in the cache, one set for all three clients."""
    home, hint = HERE / "node", "apt-get install nodejs npm (20 or newer)"
    program, npm = need("node", hint), need("npm", hint)
    with built("node", [home / "package.json"]) as (where, there):
        if not there:
            shutil.copy2(home / "package.json", where)
            # Where librdkafka's binding isn't to be had as a binary, it is built with the libraries that are here.
            words = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
            run([npm, *words], where, CKJS_LINKING="dynamic")
    if client == "confluent-js" and not (where / "node_modules/@confluentinc/kafka-javascript").exists():
        raise Missing(f"@confluentinc/kafka-javascript could not be built (remove {where} to try again)")
    return [program, str(home / "main.mjs"), str(where), client]


def rust(client: str) -> list[str]:
    """One program for both crates; what they depend on is compiled once, whatever becomes of the driver."""
    crate = HERE / "rust"
    cargo = need("cargo", "apt-get install cargo, or rustup.rs")
    for program in ("make", "cc"):  # librdkafka is C
        need(program, "apt-get install build-essential")
    with built("rust", [crate / "Cargo.toml", *(crate / "src").glob("*.rs")]) as (where, there):
        if not there:
            target = CACHE / "rust" / "target"
            run([cargo, "build", "--quiet", "--jobs", "2"], crate, CARGO_TARGET_DIR=str(target))
            shutil.copy2(target / "debug" / "drivers", where)
    return [str(where / "drivers"), client]


def go(client: str) -> list[str]:
    """One program for all three clients."""
    return [go_program("go", HERE / "go"), client]


def go_program(name: str, module: Path) -> str:
    """What a Go module is built to; Go's own caches keep what didn't change."""
    program = need("go", "go.dev/dl, or apt-get install golang-go (what go.mod names, or newer)")
    with built(name, [module / "go.mod", module / "go.sum", *module.glob("*.go")]) as (where, there):
        if not there:
            run([program, "build", "-p", "2", "-o", where / "program", "."], module)
    return str(where / "program")


TOOLCHAINS: dict[str, Callable[[str], list[str]]] = {
    "java": java,
    "java-old": java,
    "kafkajs": node,
    "confluent-js": node,
    "platformatic": node,
    "franz-go": go,
    "sarama": go,
    "kafka-go": go,
    "rust-rdkafka": rust,
    "rskafka": rust,
}
