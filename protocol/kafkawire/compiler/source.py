"""An indenting writer of source, with constants that travel as globals and a place in ``linecache``.

Only declarations ever reach the text, never data.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Any


class Source:
    def __init__(self, title: str) -> None:
        self.title = title
        self._lines: list[str] = []
        self._depth = 0
        self._constants: dict[str, Any] = {}
        self._numbers: dict[str, int] = {}

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def fresh(self, stem: str) -> str:
        """A local name that nothing else in this function has."""
        number = self._numbers.get(stem, 0)
        self._numbers[stem] = number + 1
        return f"{stem}{number}" if number else stem

    def constant(self, stem: str, value: Any) -> str:
        """The global name under which the code finds a value."""
        number = 0
        name = stem
        while name in self._constants:
            if self._constants[name] is value:
                return name
            number += 1
            name = f"{stem}_{number}"
        self._constants[name] = value
        return name

    def struct(self, codes: str, verb: str) -> str:
        """The global name of a cached ``pack`` or ``unpack_from``."""
        name = f"{verb}_{codes.replace('?', 'o')}"
        if name not in self._constants:
            packer = _struct(codes)
            self._constants[name] = packer.pack if verb == "pack" else packer.unpack_from
        return name

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def function(self, name: str) -> Callable[..., Any]:
        """Execute the text once and hand out what it defines; tracebacks show its lines."""
        text = self.text
        filename = f"<{self.title}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        namespace = {"__name__": self.title, **self._constants}
        exec(compile(text, filename, "exec"), namespace)
        made: Callable[..., Any] = namespace[name]
        return made


_structs: dict[str, Struct] = {}


def _struct(codes: str) -> Struct:
    found = _structs.get(codes)
    if found is None:
        found = _structs[codes] = Struct(">" + codes)
    return found


def array_structs(code: str, verb: str, before: str = "") -> tuple[Callable[..., Any], ...]:
    """``pack`` or ``unpack_from`` for arrays of 0 to 32 numbers, by their count: most arrays are short. ``before`` is
    the code of a length in front."""
    key = (code, verb, before)
    found = _array_structs.get(key)
    if found is None:
        made = (Struct(f">{before}{count}{code}") for count in range(33))
        found = tuple(each.pack if verb == "pack" else each.unpack_from for each in made)
        _array_structs[key] = found
    return found


_array_structs: dict[tuple[str, str, str], tuple[Callable[..., Any], ...]] = {}
