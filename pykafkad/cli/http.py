"""Asking a broker's HTTP listener: what health checks and looks at metrics share."""

from __future__ import annotations

import argparse

from pykafkad.cli.failures import CommandFailed, Misused

DEFAULT_ADDRESS = "127.0.0.1:9644"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http", metavar="HOST:PORT", default=DEFAULT_ADDRESS, help=f"its http.listen (default {DEFAULT_ADDRESS})"
    )
    parser.add_argument("--timeout", type=float, default=3.0, metavar="SECONDS", help="default 3")


def get(args: argparse.Namespace, path: str) -> tuple[int, str]:
    """(status, text) of a page."""
    from http.client import HTTPConnection, HTTPException

    host, colon, port = args.http.rpartition(":")
    if not colon or not port.isdigit():
        raise Misused(f"--http: {args.http!r} is not host:port")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=args.timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        raise CommandFailed(f"no broker's HTTP at {args.http} ({str(error).lower() or type(error).__name__})") from None
    finally:
        connection.close()
    return response.status, text or response.reason
