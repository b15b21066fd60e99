"""Which store a broker's config asks for. An engine is imported only when it is chosen."""

from __future__ import annotations

import os

from pykafkad.clock import Clock
from pykafkad.cluster.store import Store
from pykafkad.config import Config
from pykafkad.errors import ConfigError


def store_for(config: Config, clock: Clock) -> Store:
    """The store of ``cluster.store``; the embedded one lies in the first data directory."""
    from pykafkad.cluster.sqlite import SqliteStore

    _, _, path = config.cluster_store.partition(":")
    path = path or os.path.join(config.data_dirs[0], "cluster.sqlite")
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{os.path.dirname(path)}: {error.strerror}") from None
    return SqliteStore(path, clock)
