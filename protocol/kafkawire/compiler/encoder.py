"""Writes encoders. One function per (class, version): it appends to a bytearray and inlines all structs.

Where records come, the filled buffer and the records themselves go to ``pieces`` and a new buffer begins, so that a
batch is never copied. A field that the version can't say must have its default, unless it is ignorable: that is checked
here, in the generated text.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

from kafkawire import varint
from kafkawire.compiler.construct import shared_default
from kafkawire.compiler.fields import Array, Field, declaration, fields_of, is_struct
from kafkawire.compiler.source import Source, array_structs
from kafkawire.errors import EncodeError


def write_encoder(cls: type[Any], version: int) -> Source:
    """The source of ``encode(message, out, pieces) -> the bytearray it ended in``."""
    return _Encoder(cls, version).source


def compile_encoder(cls: type[Any], version: int) -> Callable[..., Any]:
    return write_encoder(cls, version).function("encode")


def _size_of(records: Any) -> int:
    """How many bytes of records there are: one buffer, one slice of a file, or a list of them."""
    return sum(map(len, records)) if isinstance(records, list) else len(records)


class _Encoder:
    def __init__(self, cls: type[Any], version: int) -> None:
        wire = declaration(cls)
        self.version = version
        self.flexible = wire.flexible is not None and version >= wire.flexible
        self.source = source = Source(f"kafkawire {cls.__module__}.{wire.name} v{version} encoder")
        self.run: list[tuple[str, str]] = []  # (struct code, the value), not yet written
        self.out = "out"
        self.where = wire.name
        source.constant("EncodeError", EncodeError)
        source.constant("small", varint.SMALL)
        source.constant("uvarint", varint.uvarint)
        source.constant("size_of", _size_of)
        with source.block("def encode(message, out, pieces=None):"):
            self.struct("message", cls)
            self.flush()
            source.line("return out")

    def flush(self) -> None:
        if not self.run:
            return
        values = [value for _, value in self.run]
        if all(value == "0" for value in values):
            self.source.line(f"{self.out} += {bytes(len(values))!r}")
        else:
            codes = "".join(code for code, _ in self.run)
            self.source.line(f"{self.out} += {self.source.struct(codes, 'pack')}({', '.join(values)})")
        self.run.clear()

    # -- structs

    def struct(self, local: str, cls: type[Any]) -> None:
        source = self.source
        tagged: list[Field] = []
        outer = self.where
        for field in fields_of(cls):
            self.where = f"{outer}.{field.name}"
            if self.version not in field.versions:
                if not field.ignorable:
                    with source.block(f"if {self.differs(f'{local}.{field.name}', field)}:"):
                        source.line(f"raise EncodeError('version {self.version} has no {self.where}')")
            elif field.tag is not None:
                tagged.append(field)
            else:
                self.value(f"{local}.{field.name}", field.type, field.nullable(self.version))
        self.where = outer
        if self.flexible:
            self.tags(local, tagged)

    def differs(self, value: str, field: Field) -> str:
        """An expression: is the value another than the default?"""
        if field.default is None:
            return f"{value} is not None"
        if isinstance(field.type, Array):
            return f"{value} != []"
        if is_struct(field.type):
            shared = shared_default(field.type)
            if shared is None:
                return f"{value} != {self.source.constant('NEW', field.type)}()"
            name = self.source.constant("DEFAULT", shared)
            return f"({value} is not {name} and {value} != {name})"
        if field.type.name == "Bool":
            return f"not {value}" if field.default else value
        return f"{value} != {field.default!r}"

    def tags(self, local: str, tagged: list[Field]) -> None:
        source = self.source
        if not tagged:
            self.run.append(("B", "0"))
            return
        self.flush()
        tagged.sort(key=lambda field: field.tag or 0)
        said = []
        for field in tagged:
            name = source.fresh("said")
            said.append(name)
            source.line(f"{name} = {self.differs(f'{local}.{field.name}', field)}")
        with source.block(f"if {' or '.join(said)}:"):
            source.line(f"{self.out} += small[{' + '.join(f'bool({name})' for name in said)}]")
            for name, field in zip(said, tagged, strict=True):
                with source.block(f"if {name}:"):
                    self.tagged_field(f"{local}.{field.name}", field)
        with source.block("else:"):
            source.line(f"{self.out} += b'\\0'")

    def tagged_field(self, value: str, field: Field) -> None:
        source = self.source
        outer, self.out = self.out, source.fresh("part")
        outer_where, self.where = self.where, f"{self.where}.{field.name}"
        source.line(f"{self.out} = bytearray()")
        self.value(value, field.type, field.nullable(self.version))
        self.flush()
        source.line(f"{outer} += uvarint({field.tag}) + uvarint(len({self.out})) + {self.out}")
        self.out = outer
        self.where = outer_where

    # -- values

    def value(self, value: str, kind: Any, nullable: bool) -> None:
        if is_struct(kind):
            self.maybe_struct(value, kind, nullable)
        elif isinstance(kind, Array):
            self.array(value, kind, nullable)
        elif kind.code:
            self.run.append((kind.code, value))
        else:
            self.sized(value, kind.name, nullable)

    def maybe_struct(self, value: str, kind: type[Any], nullable: bool) -> None:
        source = self.source
        local = source.fresh("struct")
        source.line(f"{local} = {value}")
        if not nullable:
            self.struct(local, kind)
            return
        self.flush()
        with source.block(f"if {local} is None:"):
            source.line(f"{self.out} += b'\\xff'")
        with source.block("else:"):
            self.run.append(("b", "1"))
            self.struct(local, kind)
            self.flush()

    def length(self, code: str, count: str) -> None:
        if self.flexible:
            self.flush()
            self.source.line(f"n = {count} + 1")
            self.source.line(f"{self.out} += small[n] if n < 128 else uvarint(n)")
        else:
            self.run.append((code, count))
            self.flush()

    def null(self, code: str) -> None:
        if self.flexible:
            self.source.line(f"{self.out} += b'\\0'")
        else:
            null = b"\xff\xff" if code == "h" else b"\xff\xff\xff\xff"
            self.source.line(f"{self.out} += {null!r}")

    def sized(self, value: str, name: str, nullable: bool) -> None:
        source = self.source
        code = "h" if name == "String" else "i"
        data = "data"
        if nullable:
            self.flush()
            source.line(f"data = {value}")
            with source.block("if data is None:"):
                self.null(code)
            with source.block("else:"):
                if name == "String":
                    source.line("data = data.encode()")
                self.rest(name, code)
            return
        source.line(f"{data} = {value}{'.encode()' if name == 'String' else ''}")
        self.rest(name, code)

    def rest(self, name: str, code: str) -> None:
        """Write ``data``, length first."""
        source = self.source
        if name != "Records":
            self.length(code, "len(data)")
            source.line(f"{self.out} += data")
            return
        assert self.out == "out", "no tagged field holds records"
        source.line("size = size_of(data)")
        self.length(code, "size")
        with source.block("if size:"):
            source.line("pieces.append(out)")
            source.line("pieces.extend(data) if isinstance(data, list) else pieces.append(data)")
            source.line("out = bytearray()")

    def array(self, value: str, kind: Array, nullable: bool) -> None:
        source = self.source
        items = source.fresh("items")
        if nullable:
            self.flush()
        source.line(f"{items} = {value}")
        if not nullable:
            self.items(items, kind.element)
            return
        with source.block(f"if {items} is None:"):
            self.null("i")
        with source.block("else:"):
            self.items(items, kind.element)

    def items(self, items: str, element: Any) -> None:
        source = self.source
        if not is_struct(element) and element.code and element.name != "Uuid":
            self.numbers(items, element.code)
            return
        self.length("i", f"len({items})")
        item = source.fresh("item")
        with source.block(f"for {item} in {items}:"):
            if is_struct(element):
                self.struct(item, element)
                if not fields_of(element) and not self.run:
                    source.line("pass")
            else:
                self.value(item, element, False)
            self.flush()

    def numbers(self, items: str, code: str) -> None:
        """An array of numbers: few of them, as nearly always, in one go with their count."""
        source = self.source
        self.flush()
        before, count = ("B", "count + 1") if self.flexible else ("i", "count")
        few = source.constant(f"pack_few_{code}", array_structs(code, "pack", before))
        many = source.constant("pack", pack)
        source.line(f"count = len({items})")
        with source.block("if count < 33:"):
            source.line(f"{self.out} += {few}[count]({count}, *{items})")
        with source.block("else:"):
            self.length("i", "count")
            source.line(f"{self.out} += {many}(f'>{{count}}{code}', *{items})")
