"""Writes decoders. One function per (class, version), with all structs inlined: calls cost more than the work.

Shape of the text: ``p`` is the position, ``end`` the size; neighbouring fixed-width values (and the length or the empty
tag section behind them) are read by one ``unpack_from``. Bytes that are missing raise IndexError or struct.error;
``codec.decode`` turns these into WireError. Slices never raise, so their lengths are compared with ``end`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from struct import calcsize, unpack_from
from typing import Any

from kafkawire import varint
from kafkawire.compiler.construct import default_text
from kafkawire.compiler.fields import Array, Field, declaration, fields_of, has_records, is_struct, least_size
from kafkawire.compiler.source import Source, array_structs
from kafkawire.errors import TrailingBytes, WireError

LONGEST_STRING = 32767
_LONGEST = 0x80000000  # one more than the largest length


def write_decoder(cls: type[Any], version: int) -> Source:
    """The source of ``decode(buffer, position) -> cls``; the buffer is bytes, or a memoryview if there are records."""
    return _Decoder(cls, version).source


def compile_decoder(cls: type[Any], version: int) -> Callable[..., Any]:
    made = write_decoder(cls, version).function("decode")
    made.wants_view = has_records(cls, version)  # type: ignore[attr-defined]
    return made


class _Decoder:
    def __init__(self, cls: type[Any], version: int) -> None:
        wire = declaration(cls)
        self.version = version
        self.flexible = wire.flexible is not None and version >= wire.flexible
        self.view = has_records(cls, version)
        self.source = source = Source(f"kafkawire {cls.__module__}.{wire.name} v{version} decoder")
        self.run: list[tuple[str, str]] = []  # (struct code, where to put the value), not yet written
        self.where = wire.name
        source.constant("WireError", WireError)
        source.constant("TrailingBytes", TrailingBytes)
        source.constant("new", object.__new__)
        source.constant("longer_uvarint", varint.longer_uvarint)
        source.constant("read_uvarint", varint.read_uvarint)
        source.constant("skip_tags", varint.skip_tags)
        with source.block("def decode(buffer, p=0):"):
            source.line("end = len(buffer)")
            self.struct("message", cls)
            self.flush()
            with source.block("if p != end:"):
                source.line("raise TrailingBytes(f'{end - p} bytes too many', message)")
            source.line("return message")

    # -- runs of fixed-width values

    def flush(self) -> None:
        if not self.run:
            return
        codes = "".join(code for code, _ in self.run)
        if codes == "B":  # an empty tag section, mostly: an index is cheaper than a call
            self.source.line(f"{self.run[0][1]} = buffer[p]")
            self.source.line("p += 1")
            self.run.clear()
            return
        targets = ", ".join(target for _, target in self.run)
        comma = "," if len(self.run) == 1 else ""
        self.source.line(f"{targets}{comma} = {self.source.struct(codes, 'read')}(buffer, p)")
        self.source.line(f"p += {calcsize('>' + codes)}")
        self.run.clear()

    def fail(self, why: str) -> str:
        return f"raise WireError({f'{self.where}: {why}'!r})"

    # -- structs

    def struct(self, target: str, cls: type[Any]) -> None:
        source = self.source
        local = target if target.isidentifier() else source.fresh("struct")
        source.line(f"{local} = new({source.constant(cls.__name__, cls)})")
        tagged: list[Field] = []
        outer = self.where
        for field in fields_of(cls):
            self.where = f"{outer}.{field.name}"
            if self.version not in field.versions:
                source.line(f"{local}.{field.name} = {default_text(field, source)}")
            elif field.tag is not None:
                source.line(f"{local}.{field.name} = {default_text(field, source)}")
                tagged.append(field)
            else:
                self.value(f"{local}.{field.name}", field.type, field.nullable(self.version))
        self.where = outer
        if self.flexible:
            self.tags(local, tagged)
        if local != target:
            self.flush()
            source.line(f"{target} = {local}")

    def tags(self, local: str, tagged: list[Field]) -> None:
        source = self.source
        self.run.append(("B", "n"))
        self.flush()
        with source.block("if n:"):
            if not tagged:
                source.line("p = skip_tags(buffer, p - 1, end)")
                return
            count, stop = source.fresh("tags"), source.fresh("tag_end")
            number = source.fresh("tag")
            source.line(f"{count}, p = read_uvarint(buffer, p - 1)")
            with source.block(f"for {number} in range({count}):"):
                source.line(f"{number}, p = read_uvarint(buffer, p)")
                source.line("n, p = read_uvarint(buffer, p)")
                source.line(f"{stop} = p + n")
                with source.block(f"if {stop} > end:"):
                    source.line(self.fail("a tagged field reaches beyond the end"))
                outer = self.where
                for index, field in enumerate(sorted(tagged, key=lambda field: field.tag or 0)):
                    self.where = f"{outer}.{field.name}"
                    with source.block(f"{'elif' if index else 'if'} {number} == {field.tag}:"):
                        self.value(f"{local}.{field.name}", field.type, field.nullable(self.version))
                        self.flush()
                        with source.block(f"if p != {stop}:"):
                            source.line(self.fail("a tagged field has another size than it says"))
                self.where = outer
                with source.block("else:"):
                    source.line(f"p = {stop}")

    # -- values

    def value(self, target: str, kind: Any, nullable: bool) -> None:
        if is_struct(kind):
            self.maybe_struct(target, kind, nullable)
        elif isinstance(kind, Array):
            self.array(target, kind, nullable)
        elif kind.code:
            self.run.append((kind.code, target))
        else:
            self.sized(target, kind.name, nullable)

    def maybe_struct(self, target: str, kind: type[Any], nullable: bool) -> None:
        if not nullable:
            self.flush()
            self.struct(target, kind)
            return
        source = self.source
        self.run.append(("b", "n"))
        self.flush()
        with source.block("if n < 0:"):
            source.line(f"{target} = None")
        with source.block("else:"):
            self.struct(target, kind)
            self.flush()

    def length(self, code: str, longest: int | None = None) -> None:
        """Leave the coming value's length in ``n``: plain in inflexible versions (``code`` says how wide), one more in
        flexible ones."""
        source = self.source
        if not self.flexible:
            self.run.append((code, "n"))
            self.flush()
            return
        self.flush()
        source.line("n = buffer[p]")
        source.line("p += 1")
        with source.block("if n > 127:"):
            source.line("n, p = longer_uvarint(buffer, p, n)")
            if longest is not None:
                with source.block(f"if {longest + 1} < n <= {_LONGEST}:"):
                    source.line(self.fail("a string is too long"))

    @contextmanager
    def unless_null(self, target: str, nullable: bool) -> Iterator[None]:
        """Around what reads a value whose length was left in ``n``: null is dealt with before."""
        source = self.source
        if not nullable:
            with source.block("if not n:" if self.flexible else "if n < 0:"):
                source.line(self.fail("null"))
            yield
            return
        # Any negative length is null to Kafka; in flexible versions, one that doesn't fit into 31 bits.
        with source.block(f"if not 0 < n <= {_LONGEST}:" if self.flexible else "if n < 0:"):
            source.line(f"{target} = None")
        with source.block("else:"):
            yield

    def sized(self, target: str, name: str, nullable: bool) -> None:
        source = self.source
        if name == "String":
            self.length("h", LONGEST_STRING)
        else:
            self.length("i")
        with self.unless_null(target, nullable):
            source.line("stop = p + n - 1" if self.flexible else "stop = p + n")
            with source.block("if stop > end:"):
                source.line(self.fail("longer than what is left"))
            if name == "String":
                # What is no UTF-8 is read as Java reads it.
                bytes_, how = "buffer[p:stop]", "'utf-8', 'replace'"
                text = f"str({bytes_}, {how})" if self.view else f"{bytes_}.decode({how})"
            elif name == "Bytes":
                text = "bytes(buffer[p:stop])" if self.view else "buffer[p:stop]"
            else:
                text = "buffer[p:stop]"
            source.line(f"{target} = {text}")
            source.line("p = stop")

    def array(self, target: str, kind: Array, nullable: bool) -> None:
        source = self.source
        element = kind.element
        if not is_struct(element) and element.code and element.name != "Uuid":
            self.numbers(target, element.code, element.size, nullable)
            return
        self.length("i")
        with self.unless_null(target, nullable):
            if self.flexible:
                source.line("n -= 1")
            self.room(max(1, least_size(element, self.version, self.flexible)))
            items, item = source.fresh("items"), source.fresh("item")
            source.line(f"{target} = {items} = []")
            with source.block(f"for {item} in range(n):"):
                if is_struct(element):
                    self.struct(item, element)
                else:
                    self.value(item, element, False)
                self.flush()
                source.line(f"{items}.append({item})")

    def room(self, least: int) -> None:
        """Refuse a count that the bytes that are left can't hold, before anything is made for it."""
        with self.source.block(f"if n > {'end - p' if least == 1 else f'(end - p) // {least}'}:"):
            self.source.line(self.fail("more elements than what is left can hold"))

    def numbers(self, target: str, code: str, size: int, nullable: bool) -> None:
        """An array of numbers: few of them, as nearly always, with a cached ``Struct`` and no questions asked."""
        source = self.source
        few = array_structs(code, "unpack_from")
        if self.flexible:
            self.flush()
            source.line("n = buffer[p]")
            source.line("p += 1")
            name, test = source.constant(f"read_few_{code}", _one_later(few)), f"0 < n < {len(few) + 1}"
        else:
            self.length("i")
            name, test = source.constant(f"read_few_{code}", few), f"0 <= n < {len(few)}"
        with source.block(f"if {test}:"):
            source.line(f"{target} = [*{name}[n](buffer, p)]")
            source.line(f"p += n * {size}{f' - {size}' if self.flexible else ''}")
        with source.block("else:"):
            if self.flexible:
                with source.block("if n > 127:"):
                    source.line("n, p = longer_uvarint(buffer, p, n)")
            with self.unless_null(target, nullable):
                if self.flexible:
                    source.line("n -= 1")
                self.room(size)
                many = source.constant("unpack_from", unpack_from)
                source.line(f"{target} = [*{many}(f'>{{n}}{code}', buffer, p)]")
                source.line(f"p += n * {size}")


@cache
def _one_later(functions: tuple[Callable[..., Any], ...]) -> tuple[Callable[..., Any] | None, ...]:
    """The same table for lengths that are said with one added."""
    return (None, *functions)
