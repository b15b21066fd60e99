"""A disk in memory that does what real ones do on bad days.

What a program wrote is in ``data``; what a power cut leaves of it is decided by ``crash``: synced bytes for sure,
of the rest any prefix, perhaps with its last sector torn. Names (creations, renames, removals) are journalled: a
crash keeps a prefix of them that reaches at least to the last directory sync. ``kill`` is kill -9: everything
written stays, all open files and locks are gone.
"""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Callable

from pykafkad.storage.disk import Buffer


class Inode:
    __slots__ = ("data", "modified_ms", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = b""
        self.modified_ms = 0


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
        written = max(0, len(data) - self.disk.excess(self.inode, self.size + len(data)))
        error = self.disk.fault("append", self.path)
        if error is not None:
            written = self.disk.random.randrange(len(data) + 1)
        self.inode.data[self.size : self.size + written] = data[:written]
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
        error = self.disk.fault("truncate", self.path)
        if error is not None:
            raise error
        if size < len(self.inode.data):
            del self.inode.data[size:]
        else:
            self.inode.data.extend(bytes(size - len(self.inode.data)))
        self.size = size

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
        self.now_ms = 0
        self._entries: dict[str, Inode | None] = {"": None}  # None: a directory
        self._durable: dict[str, Inode | None] = {"": None}
        self._journal: list[tuple[str, str, Inode | None]] = []

    # -- faults ----------------------------------------------------------------------------------------------------

    def fault(self, operation: str, path: str) -> OSError | None:
        for (what, ending), error in self.failing.items():
            if what == operation and path.endswith(ending):
                return error
        return None

    def excess(self, inode: Inode, size: int) -> int:
        """How many bytes too many it would be if this file grew to ``size``."""
        if self.capacity is None:
            return 0
        used = sum(len(other.data) for other in self._entries.values() if other is not None and other is not inode)
        return max(0, used + size - self.capacity)

    def flip_bit(self, path: str, position: int, bit: int = 0) -> None:
        inode = self._entries[path]
        assert inode is not None
        inode.data[position] ^= 1 << bit
        if position < len(inode.synced):
            inode.synced = bytes(inode.data[: len(inode.synced)])

    def kill(self) -> None:
        """kill -9: the page cache stays."""
        self.generation += 1
        self.locks.clear()

    def crash(self) -> None:
        """The power goes. What was synced stays; of what was not, chance decides."""
        self.kill()
        kept = self.random.randrange(len(self._journal) + 1)
        for operation in self._journal[:kept]:
            self._apply(self._durable, *operation)
        self._entries = dict(self._durable)
        self._journal = []
        for inode in {id(inode): inode for inode in self._entries.values() if inode is not None}.values():
            self._tear(inode)

    def _tear(self, inode: Inode) -> None:
        synced, data = inode.synced, bytes(inode.data)
        if data == synced:
            return
        if data.startswith(synced):
            tail = data[len(synced) :]
            kept = self.random.randrange(len(tail) + 1)
            survived = synced + tail[:kept]
            damage = self.random.randrange(4)
            if damage == 0:  # the size got to the disk, the last bytes did not
                survived += bytes(len(tail) - kept)
            elif damage == 1:
                survived += self.random.randbytes(min(len(tail) - kept, 512))
        else:  # cut or overwritten in place, and not synced since
            survived = synced if self.random.random() < 0.5 else data
        inode.data[:] = survived
        inode.synced = survived

    # -- Disk ------------------------------------------------------------------------------------------------------

    def _log(self, operation: str, path: str, inode: Inode | None = None) -> None:
        self._journal.append((operation, path, inode))
        self._apply(self._entries, operation, path, inode)

    @staticmethod
    def _apply(entries: dict[str, Inode | None], operation: str, path: str, inode: Inode | None) -> None:
        if operation == "put":
            entries[path] = inode
        elif operation == "remove":
            entries.pop(path, None)
        else:  # rename, "old\nnew"
            old, new = path.split("\n")
            for name in [name for name in entries if name == old or name.startswith(old + "/")]:
                entries[new + name[len(old) :]] = entries.pop(name)

    def _inode(self, path: str) -> Inode:
        inode = self._entries.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return inode

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        self.io["open"] += 1
        error = self.fault("open", path)
        if error is not None:
            raise error
        if create and path not in self._entries:
            self._need_parent(path)
            inode = Inode()
            inode.modified_ms = self.now_ms
            self._log("put", path, inode)
        return MemoryFile(self, self._inode(path), path)

    def _need_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if self._entries.get(parent, ...) is not None:
            raise FileNotFoundError(errno.ENOENT, "No such directory", parent)

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
        self._need_parent(path)
        inode = Inode()
        if self.excess(inode, len(data)):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        inode.data[:] = data
        inode.modified_ms = self.now_ms
        self._log("put", path + ".tmp", inode)
        if sync:
            self.sync_inode(inode, path)
        self._log("rename", f"{path}.tmp\n{path}")
        if sync:
            self.sync_directory(path.rpartition("/")[0])

    def exists(self, path: str) -> bool:
        return path in self._entries

    def list(self, path: str) -> list[str]:
        if self._entries.get(path, ...) is not None:
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)
        prefix = path + "/"
        return [
            name[len(prefix) :] for name in self._entries if name.startswith(prefix) and "/" not in name[len(prefix) :]
        ]

    def size(self, path: str) -> int:
        return len(self._inode(path).data)

    def modified_ms(self, path: str) -> int:
        return self._inode(path).modified_ms

    def is_directory(self, path: str) -> bool:
        return path in self._entries and self._entries[path] is None

    def make_directory(self, path: str) -> None:
        if path in self._entries:
            return
        parent = path.rpartition("/")[0]
        if parent:
            self.make_directory(parent)
        error = self.fault("make_directory", path)
        if error is not None:
            raise error
        self._log("put", path)

    def rename(self, path: str, new_path: str) -> None:
        error = self.fault("rename", path)
        if error is not None:
            raise error
        if path not in self._entries:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        self._log("rename", f"{path}\n{new_path}")

    def remove(self, path: str) -> None:
        if path in self._entries:
            self._log("remove", path)

    def remove_tree(self, path: str) -> None:
        for name in [name for name in self._entries if name == path or name.startswith(path + "/")]:
            self._log("remove", name)

    def fsync(self, path: str) -> None:
        self.sync_inode(self._inode(path), path)

    def sync_inode(self, inode: Inode, path: str) -> None:
        self.io["fsync"] += 1
        if self.before_fsync is not None:
            self.before_fsync(path)
        error = self.fault("fsync", path)
        if error is not None:
            raise error
        inode.synced = bytes(inode.data)

    def sync_directory(self, path: str) -> None:
        self.io["fsync"] += 1
        error = self.fault("fsync", path)
        if error is not None:
            raise error
        for operation in self._journal:
            self._apply(self._durable, *operation)
        self._journal = []

    def sync_all(self, path: str) -> None:
        for name, inode in self._entries.items():
            if inode is not None:
                self.sync_inode(inode, name)
        self.sync_directory(path)

    def lock(self, path: str) -> MemoryLock | None:
        if path in self.locks:
            return None
        self.locks.add(path)
        return MemoryLock(self, path)

    def new_uuid(self) -> bytes:
        return self.random.randbytes(16)

    def space(self, path: str) -> tuple[int, int]:
        total = self.capacity if self.capacity is not None else 1 << 40
        used = sum(len(inode.data) for inode in self._entries.values() if inode is not None)
        return total, max(0, total - used)
