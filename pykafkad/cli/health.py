"""Ask a broker on this machine whether it is ready; exit code 0 if it is. For container and service health checks."""

from __future__ import annotations

import argparse

from pykafkad.cli.failures import CommandFailed, Misused

DEFAULT_ADDRESS = "127.0.0.1:9644"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http", metavar="HOST:PORT", default=DEFAULT_ADDRESS, help=f"its http.listen (default {DEFAULT_ADDRESS})"
    )
    parser.add_argument("--live", action="store_true", help="ask only whether it is alive")
    parser.add_argument("--timeout", type=float, default=3.0, metavar="SECONDS", help="default 3")


def run(args: argparse.Namespace) -> int:
    from http.client import HTTPConnection, HTTPException

    host, colon, port = args.http.rpartition(":")
    if not colon or not port.isdigit():
        raise Misused(f"--http: {args.http!r} is not host:port")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=args.timeout)
    try:
        connection.request("GET", "/health/live" if args.live else "/health/ready")
        response = connection.getresponse()
        text = response.read(4096).decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        raise CommandFailed(f"no broker's HTTP at {args.http} ({str(error).lower() or type(error).__name__})") from None
    finally:
        connection.close()
    print(text or response.reason)
    return 0 if response.status == 200 else 1
