"""A disk in memory that does what real ones do on bad days.

Programs see the page cache: what was written is there at once. Beneath it lies what a power cut leaves:

* Of a file what was synced, for sure. Every write since then may have reached the disk or not, sector by sector and
  in any order, torn at any byte; the size may be ahead of the bytes, which then read as zeros.
* Of a directory the names that it had when *it* was synced. Creations, renames and removals since then are kept up to
  some moment, as a journal keeps them, or (the worst a file system may do) each for itself. A rename is atomic.
* A file may be synced and have no name yet; then it is lost.

``crash`` lets chance decide among these, from the disk's seed. ``kill`` is kill -9: everything written stays, all open
files and locks are gone. ``cut_after`` has the process die in the middle of what it does: at its n-th change.
"""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from pykafkad.storage.disk import Buffer

SECTOR = 512


class Died(BaseException):
    """The process is gone. No OSError and no Exception, so that nothing in it gets to handle its own death."""


class Inode:
    """A file's bytes in the page cache, and how they came about since the last sync."""

    __slots__ = ("data", "modified_ms", "synced", "unsynced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = b""
        self.unsynced: list[tuple[int, bytes | None]] = []
        """Writes (position, bytes) and cuts (size, None), oldest first."""
        self.modified_ms = 0

    def write(self, position: int, data: bytes) -> None:
        self.data[position : position + len(data)] = data
        self.unsynced.append((position, data))

    def cut(self, size: int) -> None:
        if size < len(self.data):
            del self.data[size:]
        else:
            self.data.extend(bytes(size - len(self.data)))
        self.unsynced.append((size, None))

    def sync(self) -> None:
        self.synced = bytes(self.data)
        self.unsynced.clear()

    def tear(self, chance: random.Random) -> None:
        """What a power cut leaves."""
        if not self.unsynced:
            return
        match chance.randrange(5):
            case 0:
                self.data[:] = self.synced
            case 1:  # all of it was written back, by luck
                pass
            case 2:  # written back in order, up to some byte
                self.data[:] = self._up_to(chance.randrange(len(self.unsynced)), chance)
            case 3:  # the sizes got to the disk, the bytes did not
                self.data[:] = self.synced[: len(self.data)].ljust(len(self.data), b"\0")
            case _:
                self.data[:] = self._scattered(chance)
        self.sync()

    def _up_to(self, last: int, chance: random.Random) -> bytes:
        before = Inode()
        before.data[:] = self.synced
        for position, data in self.unsynced[:last]:
            before.cut(position) if data is None else before.write(position, data)
        position, data = self.unsynced[last]
        if data is not None:
            before.write(position, data[: chance.randrange(len(data) + 1)])
        return bytes(before.data)

    def _scattered(self, chance: random.Random) -> bytes:
        """Any of the sectors that were written, and any of the sizes that the file had."""
        luck = chance.choice((0.2, 0.5, 0.8, 0.95))
        found, size = bytearray(self.synced), len(self.synced)
        sizes = [size]
        for position, data in self.unsynced:
            if data is None:
                size = position
                if chance.random() < luck:
                    found[size:] = bytes(max(0, len(found) - size))
            else:
                size = max(size, position + len(data))
                found.extend(bytes(max(0, size - len(found))))
                at = 0
                while at < len(data):
                    step = min(len(data) - at, SECTOR - (position + at) % SECTOR)
                    if chance.random() < luck:
                        torn = step if chance.random() < 0.9 else chance.randrange(step + 1)
                        found[position + at : position + at + torn] = data[at : at + torn]
                    at += step
            sizes.append(size)
        size = chance.choice(sizes) if chance.random() < 0.5 else size
        return bytes(found[:size].ljust(size, b"\0"))


Change = tuple[int, str, "str | Inode | Directory | None"]
"""(its number, a name, what it is now: a node, None when it is gone, or the name to which it was renamed)."""


class Directory:
    """Names in the cache, the names that were synced, and the changes between the two."""

    __slots__ = ("durable", "modified_ms", "names", "unsynced")

    def __init__(self) -> None:
        self.names: dict[str, Inode | Directory] = {}
        self.durable: dict[str, Inode | Directory] = {}
        self.unsynced: list[Change] = []
        self.modified_ms = 0

    def change(self, change: Change) -> None:
        self.unsynced.append(change)
        self._apply(self.names, change)

    @staticmethod
    def _apply(names: dict[str, Inode | Directory], change: Change) -> None:
        _, name, what = change
        if what is None:
            names.pop(name, None)
        elif isinstance(what, str):
            if name in names:
                names[what] = names.pop(name)
        else:
            names[name] = what

    def sync(self) -> None:
        self.durable = dict(self.names)
        self.unsynced.clear()

    def tear(self, chance: random.Random, last: int | None) -> None:
        """``last``: the number of the last change that a journal kept; None: each for itself."""
        for change in self.unsynced:
            if change[0] <= last if last is not None else chance.random() < 0.5:
                self._apply(self.durable, change)
        self.names = dict(self.durable)
        self.unsynced.clear()
        for node in self.names.values():
            node.tear(chance, last) if isinstance(node, Directory) else node.tear(chance)

    def files(self) -> Iterator[Inode]:
        for node in self.names.values():
            if isinstance(node, Directory):
                yield from node.files()
            else:
                yield node


class MemoryFile:
    """An open handle. Dies with the process (``kill`` and ``crash`` raise the disk's generation)."""

    fd = -1

    def __init__(self, disk: MemoryDisk, inode: Inode, path: str) -> None:
        self.disk = disk
        self.inode = inode
        self.path = path
        self.size = len(inode.data)
        self._generation = disk.generation

    def _alive(self) -> None:
        if self._generation != self.disk.generation:
            raise OSError(errno.EBADF, "this process was killed")

    def append(self, *buffers: Buffer) -> None:
        self._alive()
        data = b"".join(buffers)
        self.disk.io["append"] += 1
        self.disk.step()
        written = max(0, len(data) - self.disk.excess(self.inode, self.size + len(data)))
        error = self.disk.fault("append", self.path)
        if error is not None:
            written = self.disk.random.randrange(len(data) + 1)
        self.inode.write(self.size, data[:written])
        self.inode.modified_ms = self.disk.now_ms
        if error is not None:
            raise error
        if written < len(data):
            raise OSError(errno.ENOSPC, "No space left on device", self.path)
        self.size += len(data)

    def pread(self, length: int, offset: int) -> bytes:
        self._alive()
        self.disk.io["pread"] += 1
        self.disk.cold.discard(self.path)
        error = self.disk.fault("pread", self.path)
        if error is not None:
            raise error
        return bytes(self.inode.data[offset : offset + length])

    def peek(self, length: int, offset: int) -> bytes | None:
        if self.path in self.disk.cold:
            return None
        data = self.pread(length, offset)
        return data if len(data) == length else None

    def allocate(self, size: int) -> None:
        self._alive()
        if self.disk.excess(self.inode, size):
            raise OSError(errno.ENOSPC, "No space left on device", self.path)
        self.inode.data.extend(bytes(max(0, size - len(self.inode.data))))

    def truncate(self, size: int) -> None:
        self._alive()
        self.disk.step()
        error = self.disk.fault("truncate", self.path)
        if error is not None:
            raise error
        self.inode.cut(size)
        self.size = size

    def linked(self) -> bool:
        return self.disk.has(self.path, self.inode)

    def fsync(self) -> None:
        self._alive()
        self.disk.sync_inode(self.inode, self.path)

    def close(self) -> None:
        pass


class MemoryLock:
    def __init__(self, disk: MemoryDisk, path: str) -> None:
        self.disk = disk
        self.path = path

    def release(self) -> None:
        self.disk.locks.discard(self.path)


class MemoryDisk:
    """``fault`` hook: ``disk.failing[("fsync", "x.log")] = OSError(...)`` fails that operation on names ending so."""

    def __init__(self, seed: int = 0, *, capacity: int | None = None) -> None:
        self.random = random.Random(seed)
        self.capacity = capacity
        self.max_open_files = 100
        self.generation = 0
        self.io: Counter[str] = Counter()
        self.failing: dict[tuple[str, str], OSError] = {}
        self.locks: set[str] = set()
        self.cold: set[str] = set()
        """Files that are not in memory until somebody reads them and waits."""
        self.before_fsync: Callable[[str], None] | None = None
        self.cut_after: int | None = None
        """So many more changes and the process dies; nothing but ``kill`` or ``crash`` helps then."""
        self.changes = 0
        self.ordered = True
        """Whether the last crash kept changes of names in order, as a journal does."""
        self.now_ms = 0
        self._root = Directory()

    # -- faults ----------------------------------------------------------------------------------------------------

    def fault(self, operation: str, path: str) -> OSError | None:
        for (what, ending), error in self.failing.items():
            if what == operation and path.endswith(ending):
                return error
        return None

    @property
    def dead(self) -> bool:
        """Whether ``cut_after`` has come to its end."""
        return self.cut_after is not None and self.cut_after <= 0

    def step(self) -> None:
        """Something is about to change on the disk, or to become durable."""
        self.changes += 1
        if self.cut_after is not None:
            if self.cut_after <= 0:
                raise Died
            self.cut_after -= 1

    def excess(self, inode: Inode, size: int) -> int:
        """How many bytes too many it would be if this file grew to ``size``."""
        if self.capacity is None:
            return 0
        used = sum(len(other.data) for other in self._root.files() if other is not inode)
        return max(0, used + size - self.capacity)

    def flip_bit(self, path: str, position: int, bit: int = 0) -> None:
        inode = self._inode(path)
        inode.data[position] ^= 1 << bit
        inode.sync()

    def kill(self) -> None:
        """kill -9: the page cache stays."""
        self.generation += 1
        self.locks.clear()
        self.cut_after = None

    def crash(self) -> None:
        """The power goes. What was synced stays; of what was not, chance decides."""
        self.kill()
        self.ordered = self.random.random() < 0.5
        self._root.tear(self.random, self.random.randrange(self.changes + 1) if self.ordered else None)

    # -- names -----------------------------------------------------------------------------------------------------

    def _find(self, path: str) -> Inode | Directory | None:
        node: Inode | Directory | None = self._root
        for name in path.strip("/").split("/"):
            if name:
                node = node.names.get(name) if isinstance(node, Directory) else None
        return node

    def _directory(self, path: str) -> Directory:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)
        return node

    def _inode(self, path: str) -> Inode:
        node = self._find(path)
        if not isinstance(node, Inode):
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return node

    def has(self, path: str, inode: Inode) -> bool:
        return self._find(path) is inode

    def _change(self, path: str, what: str | Inode | Directory | None) -> None:
        parent, _, name = path.rpartition("/")
        directory = self._directory(parent)
        self.step()
        directory.change((self.changes, name, what))

    # -- Disk ------------------------------------------------------------------------------------------------------

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        self.io["open"] += 1
        error = self.fault("open", path)
        if error is not None:
            raise error
        if create and self._find(path) is None:
            self._change(path, self._new())
        return MemoryFile(self, self._inode(path), path)

    def _new(self) -> Inode:
        inode = Inode()
        inode.modified_ms = self.now_ms
        return inode

    def read(self, path: str) -> bytes:
        error = self.fault("read", path)
        if error is not None:
            raise error
        return bytes(self._inode(path).data)

    def replace(self, path: str, data: bytes, *, sync: bool = True) -> None:
        self.io["replace"] += 1
        error = self.fault("replace", path)
        if error is not None:
            raise error
        inode = self._new()
        if self.excess(inode, len(data)):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        self._change(path + ".tmp", inode)
        self.step()
        inode.write(0, bytes(data))
        if sync:
            self.sync_inode(inode, path)
        self._change(path + ".tmp", path.rpartition("/")[2])
        if sync:
            self.sync_directory(path.rpartition("/")[0])

    def exists(self, path: str) -> bool:
        return self._find(path) is not None

    def list(self, path: str) -> list[str]:
        return list(self._directory(path).names)

    def files(self, path: str) -> dict[str, int]:
        paths = {name: f"{path}/{name}" for name in self.list(path)}
        return {name: self.size(where) for name, where in paths.items() if not self.is_directory(where)}

    def directories(self, path: str) -> list[str]:
        return [name for name in self.list(path) if self.is_directory(f"{path}/{name}")]

    def size(self, path: str) -> int:
        return len(self._inode(path).data)

    def modified_ms(self, path: str) -> int:
        return self._inode(path).modified_ms

    def set_modified_ms(self, path: str, when: int) -> None:
        self._inode(path).modified_ms = when

    def is_directory(self, path: str) -> bool:
        return isinstance(self._find(path), Directory)

    def make_directory(self, path: str) -> None:
        if self._find(path) is not None:
            return
        parent = path.rpartition("/")[0]
        if parent:
            self.make_directory(parent)
        error = self.fault("make_directory", path)
        if error is not None:
            raise error
        self._change(path, Directory())

    def rename(self, path: str, new_path: str) -> None:
        error = self.fault("rename", path)
        if error is not None:
            raise error
        if self._find(path) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        parent, _, name = new_path.rpartition("/")
        if parent != path.rpartition("/")[0]:
            raise OSError(errno.EXDEV, "this disk renames within a directory only", path)
        self._change(path, name)

    def unshare(self, path: str) -> bool:
        return False  # no file has two names here

    def remove(self, path: str) -> None:
        error = self.fault("remove", path)
        if error is not None:
            raise error
        if self._find(path) is not None:
            self._change(path, None)

    def remove_tree(self, path: str) -> None:
        node = self._find(path)
        if isinstance(node, Directory):
            for name in list(node.names):
                self.remove_tree(f"{path}/{name}")
        self.remove(path)

    def fsync(self, path: str) -> None:
        self.sync_inode(self._inode(path), path)

    def sync_inode(self, inode: Inode, path: str) -> None:
        self.io["fsync"] += 1
        if self.before_fsync is not None:
            self.before_fsync(path)
        self.step()
        error = self.fault("fsync", path)
        if error is not None:
            raise error
        inode.sync()

    def sync_directory(self, path: str) -> None:
        self.io["fsync"] += 1
        self.step()
        error = self.fault("fsync", path)
        if error is not None:
            raise error
        with suppress(FileNotFoundError):
            self._directory(path).sync()

    def sync_all(self, path: str) -> None:
        def all_of(directory: Directory, at: str) -> None:
            for name, node in list(directory.names.items()):
                if isinstance(node, Directory):
                    all_of(node, f"{at}/{name}")
                else:
                    self.sync_inode(node, f"{at}/{name}")
            directory.sync()

        error = self.fault("fsync", path)
        if error is not None:
            raise error
        all_of(self._root, "")

    def lock(self, path: str) -> MemoryLock | None:
        if path in self.locks:
            return None
        self.locks.add(path)
        return MemoryLock(self, path)

    def new_uuid(self) -> bytes:
        return self.random.randbytes(16)

    def space(self, path: str) -> tuple[int, int]:
        total = self.capacity if self.capacity is not None else 1 << 40
        used = sum(len(inode.data) for inode in self._root.files())
        return total, max(0, total - used)
