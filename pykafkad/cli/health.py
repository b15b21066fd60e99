"""Ask a broker on this machine whether it is ready; exit code 0 if it is. For container and service health checks."""

from __future__ import annotations

import argparse

from pykafkad.cli import http


def add_arguments(parser: argparse.ArgumentParser) -> None:
    http.add_arguments(parser)
    parser.add_argument("--live", action="store_true", help="ask only whether it is alive")


def run(args: argparse.Namespace) -> int:
    status, text = http.get(args, "/health/live" if args.live else "/health/ready")
    print(text)
    return 0 if status == 200 else 1
