"""One process of a run: ``python -m conformance.checking.worker JSON``. It ends when its input does."""

from __future__ import annotations

import faulthandler
import json
import signal
import sys
from collections.abc import Callable

from conformance.checking.process import Setting
from conformance.checking.readers import Readers
from conformance.checking.transactions import Mover, Transactor, Writer


def main() -> None:
    faulthandler.register(signal.SIGUSR1)  # what it is doing, for whoever waits for it in vain
    roles: dict[str, Callable[[Setting], Transactor | Readers]] = {"writer": Writer, "mover": Mover, "reader": Readers}
    roles[json.loads(sys.argv[1])["role"]](Setting()).run()


if __name__ == "__main__":
    main()
