"""CRC-32C, from the crc32c package's C module alone.

The package's ``__init__`` looks its own version up, which loads ``importlib.metadata`` and half of ``email``: a tenth
of a broker's whole start. So the C module is loaded from beside it, and by the front door if it isn't found there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _load() -> Callable[..., int]:
    package = None if "crc32c" in sys.modules else PathFinder.find_spec("crc32c")
    if package is not None and package.submodule_search_locations:
        spec = PathFinder.find_spec("_crc32c", list(package.submodule_search_locations))
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            found: Callable[..., int] = module.crc32c
            return found
    from crc32c import crc32c as found_in_package

    found = found_in_package
    return found


crc32c = _load()
