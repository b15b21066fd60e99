"""The one door to the disk, so that tests can put a disk behind it that tears, fills up, forgets and flips bits.

``RealDisk`` is the operating system; ``tests/kit/disk.py`` has the treacherous one. Everything here raises ``OSError``;
the log above turns it into ``StorageFailed``. A ``File`` is one open descriptor and closes itself when the last
reference goes: a closed-out or deleted segment stays readable for as long as a ``FileSlice`` of it waits to be
sent.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections.abc import Callable, Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview

MIN_OPEN_FILES = 64  # segments that may be open however little the process may
UNLIMITED_FILES = 131_072  # what counts as the limit where there is none
_IOV_MAX = 1024
_can_peek = hasattr(os, "RWF_NOWAIT")  # until a file system says that it can't
_SMALL, _LARGE = 4096, 1024 * 1024
_COPIED_AT_ONCE = 64 * 1024 * 1024


class File(Protocol):
    """An open file that grows at its end. ``size`` is what the owner knows to be whole, not what the inode says."""

    fd: int
    """The descriptor for os.sendfile, or -1 when there is none (memory disk)."""
    size: int

    def append(self, *buffers: Buffer) -> None:
        """Write all of the buffers behind ``size`` and move it; on any error ``size`` stays and OSError is raised."""

    def pread(self, length: int, offset: int) -> bytes:
        """At most ``length`` bytes from ``offset``; fewer only at the end of the file."""

    def peek(self, length: int, offset: int) -> Buffer | None:
        """All of the bytes if they are in memory; None if the disk would have to be asked, or the file is shorter."""

    def allocate(self, size: int) -> None:
        """Reserve room up to ``size`` and make the file that long, with zeros; the owner's ``size`` stays."""

    def truncate(self, size: int) -> None: ...

    def fsync(self) -> None: ...

    def linked(self) -> bool:
        """Whether it still has a name: what is written to a file without one is gone with the process."""

    def close(self) -> None: ...


class Lock(Protocol):
    def release(self) -> None: ...


class Disk(Protocol):
    """What storage asks of an operating system. Paths are strings, joined with '/'."""

    max_open_files: int

    def open(self, path: str, *, create: bool = False) -> File: ...

    def read(self, path: str) -> bytes: ...

    def replace(self, path: str, data: bytes, *, sync: bool = True) -> None:
        """Put a whole small file in place: temporary file, (fsync,) rename, (sync of the directory)."""

    def exists(self, path: str) -> bool: ...

    def list(self, path: str) -> list[str]: ...

    def files(self, path: str) -> dict[str, int]:
        """Names and sizes of the files in a directory, in one go: opening a log asks for all of them."""

    def directories(self, path: str) -> Sequence[str]:
        """Names of the directories in a directory."""

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int: ...

    def set_modified_ms(self, path: str, when: int) -> None: ...

    def is_directory(self, path: str) -> bool: ...

    def make_directory(self, path: str) -> None:
        """With its parents; it may be there already."""

    def rename(self, path: str, new_path: str) -> None: ...

    def unshare(self, path: str) -> bool:
        """Before a file is truncated: if it has a second name (an import may link what is closed), this name becomes a
        copy. Whether it did, so that descriptors are of the other file now.
        """

    def remove(self, path: str) -> None:
        """No error when it is gone already."""

    def remove_tree(self, path: str) -> None: ...

    def fsync(self, path: str) -> None:
        """Sync a file by name; used where no descriptor is open any more."""

    def sync_directory(self, path: str) -> None: ...

    def sync_all(self, path: str) -> None:
        """Everything on the volume that holds ``path``, at once."""

    def lock(self, path: str) -> Lock | None:
        """An exclusive lock on a lock file, or None when somebody else has it."""

    def new_uuid(self) -> bytes: ...

    def space(self, path: str) -> tuple[int, int]:
        """(total, usable) bytes of the volume."""


class FileSlice:
    """A stretch of a file that will be sent as it is. Holds the file open until it is dropped."""

    __slots__ = ("file", "length", "offset")

    def __init__(self, file: File, offset: int, length: int) -> None:
        self.file = file
        self.offset = offset
        self.length = length

    def __len__(self) -> int:
        return self.length

    @property
    def fd(self) -> int:
        return self.file.fd

    def read(self) -> bytes:
        return self.file.pread(self.length, self.offset)

    def __repr__(self) -> str:
        return f"FileSlice(offset={self.offset}, length={self.length})"


class RealFile:
    """Written at a known position with pwrite, never O_APPEND: a half-written tail is overwritten, not appended to."""

    __slots__ = ("_close", "fd", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self._close = os.close  # bound here so that __del__ works while the interpreter goes down

    def append(self, *buffers: Buffer) -> None:
        size = self.size
        if len(buffers) == 1:
            wanted = len(buffers[0])
            written = os.pwrite(self.fd, buffers[0], size)
        else:
            wanted = sum(map(len, buffers))
            written = os.pwritev(self.fd, buffers[:_IOV_MAX], size)
        if written != wanted:
            self._finish(buffers, written, wanted, size)
        self.size = size + wanted

    def _finish(self, buffers: tuple[Buffer, ...], written: int, wanted: int, size: int) -> None:
        """A short write is rare (a full disk, a signal, more pieces than the kernel takes): go on until it says why."""
        rest = memoryview(b"".join(buffers))
        while written < wanted:
            more = os.pwrite(self.fd, rest[written:], size + written)
            if more == 0:
                raise OSError(errno.EIO, "write made no progress")
            written += more

    def pread(self, length: int, offset: int) -> bytes:
        data = os.pread(self.fd, length, offset)
        if len(data) == length or not data:
            return data
        pieces = [data]  # short reads happen at the end of the file, and on signals in the middle of large ones
        got = len(data)
        while got < length:
            data = os.pread(self.fd, length - got, offset + got)
            if not data:
                break
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def peek(self, length: int, offset: int) -> Buffer | None:
        global _can_peek
        if not _can_peek:
            return self.pread(length, offset)
        data = bytearray(length)
        try:
            return data if os.preadv(self.fd, (data,), offset, os.RWF_NOWAIT) == length else None
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            _can_peek = False
            return self.pread(length, offset)

    def allocate(self, size: int) -> None:
        os.posix_fallocate(self.fd, 0, size)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)
        self.size = size

    def fsync(self) -> None:
        os.fdatasync(self.fd)

    def linked(self) -> bool:
        return os.fstat(self.fd).st_nlink > 0

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            self._close(fd)

    def __del__(self) -> None:
        self.close()


def copy_file(source: str, target: str, progress: Callable[[int], None] = lambda size: None) -> None:
    """Bytes and time of modification, in the kernel; where the file system can, the copy shares its blocks."""
    with open(source, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        status = os.fstat(reading.fileno())
        copy: Callable[[int, int, int], int] = os.copy_file_range
        position = 0
        while position < status.st_size:
            try:
                count = copy(reading.fileno(), writing.fileno(), _COPIED_AT_ONCE)
            except OSError as error:
                if copy is _copy_plainly or error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP):
                    raise
                copy = _copy_plainly
                continue
            if not count:
                break
            position += count
            progress(count)
        os.utime(writing.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_plainly(source: int, target: int, count: int) -> int:
    return os.sendfile(target, source, None, count)


class _RealLock:
    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_files() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED_FILES if soft == resource.RLIM_INFINITY else soft


def allow_open_files() -> None:
    """As many as the system lets this process have. What is allowed at first is meant for programs that use select."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass  # some systems name a hard limit that they don't grant: then it stays as it was


class RealDisk:
    __slots__ = ("max_open_files",)

    def __init__(self, max_open_files: int | None = None) -> None:
        # The other half is for connections, and for slices of segments that are on their way to them.
        self.max_open_files = max(MIN_OPEN_FILES, open_files() // 2) if max_open_files is None else max_open_files

    def open(self, path: str, *, create: bool = False) -> RealFile:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            fd = os.open(path, flags | os.O_CREAT if create else flags, 0o644)
        except (PermissionError, OSError) as error:
            # A data directory may be looked at read-only, for instance by the dump tool.
            if create or error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
                raise
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return RealFile(fd, os.fstat(fd).st_size)

    def read(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(fd, _SMALL)
            if len(data) < _SMALL:  # as most files that are read whole are
                return data
            pieces = [data]
            while data := os.read(fd, _LARGE):
                pieces.append(data)
            return b"".join(pieces)
        finally:
            os.close(fd)

    def replace(self, path: str, data: bytes, *, sync: bool = True) -> None:
        temporary = path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
        if sync:
            self.sync_directory(path.rpartition("/")[0] or ".")

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def list(self, path: str) -> list[str]:
        return os.listdir(path)

    def files(self, path: str) -> dict[str, int]:
        with os.scandir(path) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def directories(self, path: str) -> Sequence[str]:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def set_modified_ms(self, path: str, when: int) -> None:
        os.utime(path, ns=(when * 1_000_000, when * 1_000_000))

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def make_directory(self, path: str) -> None:
        try:
            os.mkdir(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)

    def rename(self, path: str, new_path: str) -> None:
        os.rename(path, new_path)

    def unshare(self, path: str) -> bool:
        if os.stat(path).st_nlink == 1:
            return False
        copy_file(path, f"{path}.tmp")
        os.rename(f"{path}.tmp", path)
        return True

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def remove_tree(self, path: str) -> None:
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self.remove_tree(entry.path)
            else:
                self.remove(entry.path)
        os.rmdir(path)

    def fsync(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_directory(self, path: str) -> None:
        self.fsync(path)

    def sync_all(self, path: str) -> None:
        import ctypes  # needed once, at shutdown

        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
            if syncfs is None:
                os.sync()
            elif syncfs(fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), path)
        finally:
            os.close(fd)

    def lock(self, path: str) -> _RealLock | None:
        """flock keeps a second broker of this process out, the POSIX lock a JVM, which knows only that kind."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        return _RealLock(fd)

    def new_uuid(self) -> bytes:
        return os.urandom(16)

    def space(self, path: str) -> tuple[int, int]:
        stat = os.statvfs(path)
        return stat.f_frsize * stat.f_blocks, stat.f_frsize * stat.f_bavail
