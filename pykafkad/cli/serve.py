"""Run a broker.

Settings are Kafka's: from a server.properties file, KAFKA_* variables of the environment as Kafka's image maps them,
and --override, the later ones winning. Without a file, data goes to ./pykafkad-data and only this machine may connect.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from pykafkad.errors import ConfigError

if TYPE_CHECKING:
    from pykafkad.config import Config

DATA = "pykafkad-data"
LISTENERS = "PLAINTEXT://127.0.0.1:9092"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("properties", nargs="?", metavar="server.properties", help="a file of settings")
    parser.add_argument(
        "--override", action="append", default=[], metavar="key=value", help="one more setting; may be repeated"
    )
    parser.add_argument("--log-json", action="store_true", help="log lines as JSON")


def run(args: argparse.Namespace) -> int:
    if not __debug__:
        raise ConfigError("the broker's assertions guard its data: run Python without -O and without PYTHONOPTIMIZE")
    return serve(settings(args))


def settings(args: argparse.Namespace) -> Config:
    """All sources together."""
    from pykafkad.config import Config
    from pykafkad.config.properties import Properties, from_environment, parse_overrides, read_properties

    properties = Properties()
    if args.properties is not None:
        properties.update_from(read_properties(args.properties))
    properties.update_from(from_environment(os.environ))
    properties.update_from(parse_overrides(args.override))
    if args.log_json:
        properties.take("log.format", "json", "--log-json")
    if args.properties is None:
        if "log.dirs" not in properties and "log.dir" not in properties:
            properties.take("log.dirs", DATA, "without a file")
        if "listeners" not in properties:
            properties.take("listeners", LISTENERS, "without a file")
    return Config.load(properties)


def serve(config: Config) -> int:
    """Serve until a signal comes; 0 after a clean stop, 1 when the disks have failed."""
    import uvloop

    from pykafkad.logs import log
    from pykafkad.storage.disk import allow_open_files

    allow_open_files()
    level = "warning" if config.log_level.upper() == "WARN" else config.log_level
    log.configure(json=config.log_format == "json", level=level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config))


async def _serve(config: Config) -> int:
    from pykafkad.app import Broker
    from pykafkad.logs import log

    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def on_signal(number: int) -> None:
        if stop.done():
            os._exit(128 + number)  # asked twice: whoever asks doesn't want to wait
        stop.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    broker = await Broker.start(config)
    await loop.run_in_executor(None, log.load)
    broker.log_start()
    await asyncio.wait((stop, broker.lost), return_when=asyncio.FIRST_COMPLETED)
    if stop.done():
        log.info("broker stopping", signal=signal.Signals(stop.result()).name)
    else:
        log.error("broker stopping", reason=broker.lost.result())
    await broker.stop()
    log.info("broker stopped")
    sys.stderr.flush()
    return 0 if stop.done() else 1
