"""The embedded store: one SQLite file, shared by the broker processes of one machine.

SQLite is asked for durability (WAL, ``synchronous=FULL``) and for one writer at a time (``BEGIN IMMEDIATE``). Every
change is kept in ``history`` for a while, so that a watch can be told what it missed; another process's commit shows
up as a new ``data_version``, which is looked at a few times per second. Leases are rows with an end on the wall
clock; whoever looks next buries the dead. Renewing one needs no durability: after a power cut nobody is alive.

Writes run on one worker thread with its own connection: they wait for the disk and for other processes. Reads are done
on the loop with another connection: in WAL mode they wait for nobody and see only what is committed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from pykafkad.clock import Clock
from pykafkad.cluster.store import Changes, Entry, Snapshot, StoreUnavailable, Transaction

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kv_lease ON kv (lease) WHERE lease <> 0;
CREATE TABLE IF NOT EXISTS history (revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB);
CREATE INDEX IF NOT EXISTS history_revision ON history (revision);
CREATE TABLE IF NOT EXISTS leases (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('revision', 0), ('forgotten', 0);
"""

_HISTORY_REVISIONS = 1000
_BUSY_TIMEOUT_S = 5.0


class _Watch:
    def __init__(self, store: SqliteStore, after: int, on_changes: Callable[[Changes], None]) -> None:
        self.told = after
        self.on_changes = on_changes
        self._store = store

    def close(self) -> None:
        self._store.forget(self)


class SqliteStore:
    """One process's door to the file."""

    def __init__(self, path: str, clock: Clock, *, poll_ms: int = 250, executor: Executor | None = None) -> None:
        self._path = path
        self._clock = clock
        self._poll_s = poll_ms / 1000
        self._executor = executor
        self._own_executor: ThreadPoolExecutor | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._data_version = -1
        self._watches: list[_Watch] = []
        self._polling: asyncio.TimerHandle | None = None
        self._burying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        try:
            self._writer = writer = self._connect()
            if writer.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                writer.execute("PRAGMA journal_mode=WAL")
            writer.execute("PRAGMA synchronous=FULL")
            if writer.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
                writer.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            self._reader = self._connect()
            if self._ended():
                self._bury([])
        except sqlite3.Error as error:
            self._close_connections()
            raise StoreUnavailable(f"{self._path}: {error}") from error
        self._poll_later()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
        if self._burying is not None:
            await asyncio.wait([self._burying])
        self._watches.clear()
        if self._own_executor is not None:
            self._own_executor.shutdown(wait=True)
            self._executor = self._own_executor = None
        self._close_connections()

    def _close_connections(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    async def range(self, prefix: str = "") -> Snapshot:
        return self._range(prefix)

    def _range(self, prefix: str) -> Snapshot:
        try:
            rows = self._reads.execute(
                "SELECT '', 0, number FROM meta WHERE name = 'revision'"
                " UNION ALL SELECT key, value, revision FROM kv WHERE key >= ? AND key < ?",
                (prefix, prefix + "\U0010ffff"),
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error
        return Snapshot(rows[0][2], {key: Entry(value, revision) for key, value, revision in rows[1:]})

    async def commit(self, transaction: Transaction) -> int | None:
        revision = await self._run(lambda: self._commit(transaction))
        self._tell()
        return revision

    async def grant(self, ttl_ms: int) -> int:
        def grant() -> int:
            ends_ms = self._clock.now_ms() + ttl_ms
            return self._lightly("INSERT INTO leases (ttl_ms, ends_ms) VALUES (?, ?)", (ttl_ms, ends_ms)).lastrowid or 0

        return await self._run(grant)

    async def renew(self, lease: int) -> bool:
        statement = "UPDATE leases SET ends_ms = ? + ttl_ms WHERE id = ?"
        return await self._run(lambda: self._lightly(statement, (self._clock.now_ms(), lease)).rowcount == 1)

    async def revoke(self, lease: int) -> None:
        await self._run(lambda: self._bury([lease]))
        self._tell()

    def watch(self, after: int, on_changes: Callable[[Changes], None]) -> _Watch:
        watch = _Watch(self, after, on_changes)
        self._watches.append(watch)
        return watch

    def forget(self, watch: _Watch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)

    # Below here: statements on the worker thread, then the watches on the loop.

    @property
    def _db(self) -> sqlite3.Connection:
        if self._writer is None:
            raise StoreUnavailable(f"{self._path}: closed")
        return self._writer

    @property
    def _reads(self) -> sqlite3.Connection:
        if self._reader is None:
            raise StoreUnavailable(f"{self._path}: closed")
        return self._reader

    async def _run(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            self._executor = self._own_executor = ThreadPoolExecutor(1, "cluster-store")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def _lightly(self, statement: str, parameters: tuple[int, ...]) -> sqlite3.Cursor:
        """Write without waiting for the disk: for what a power cut ends anyway."""
        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            return self._db.execute(statement, parameters)
        finally:
            self._db.execute("PRAGMA synchronous=FULL")

    def _commit(self, transaction: Transaction) -> int | None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            revision = self._apply(db, transaction)
            db.execute("COMMIT" if revision is not None else "ROLLBACK")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return revision

    def _apply(self, db: sqlite3.Connection, transaction: Transaction) -> int | None:
        for key, wanted in transaction.conditions.items():
            row = db.execute("SELECT revision FROM kv WHERE key = ?", (key,)).fetchone()
            if (row[0] if row else 0) != wanted:
                return None
        lease = transaction.lease
        if lease and db.execute("SELECT 1 FROM leases WHERE id = ?", (lease,)).fetchone() is None:
            return None
        revision = self._next_revision(db)
        db.executemany(
            "INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?)",
            [(key, value, revision, 0) for key, value in transaction.puts.items()]
            + [(key, value, revision, lease) for key, value in transaction.leased.items()],
        )
        db.executemany("DELETE FROM kv WHERE key = ?", [(key,) for key in transaction.deletes])
        db.executemany(
            "INSERT INTO history VALUES (?, ?, ?)",
            [(revision, key, value) for key, value in (*transaction.puts.items(), *transaction.leased.items())]
            + [(revision, key, None) for key in transaction.deletes],
        )
        return revision

    def _next_revision(self, db: sqlite3.Connection) -> int:
        db.execute("UPDATE meta SET number = number + 1 WHERE name = 'revision'")
        revision = int(db.execute("SELECT number FROM meta WHERE name = 'revision'").fetchone()[0])
        if revision % 100 == 0 and revision > _HISTORY_REVISIONS:
            db.execute("DELETE FROM history WHERE revision <= ?", (revision - _HISTORY_REVISIONS,))
            db.execute("UPDATE meta SET number = ? WHERE name = 'forgotten'", (revision - _HISTORY_REVISIONS,))
        return revision

    def _bury(self, leases: list[int]) -> None:
        """End these leases and all whose time is over, with their keys, in one revision."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            ended = db.execute("SELECT id FROM leases WHERE ends_ms < ?", (self._clock.now_ms(),))
            leases = sorted({*leases, *(row[0] for row in ended)})
            marks = ",".join("?" * len(leases))
            keys = [row[0] for row in db.execute(f"SELECT key FROM kv WHERE lease IN ({marks})", leases)]
            if keys:
                revision = self._next_revision(db)
                db.executemany("DELETE FROM kv WHERE key = ?", [(key,) for key in keys])
                db.executemany("INSERT INTO history VALUES (?, ?, NULL)", [(revision, key) for key in keys])
            db.execute(f"DELETE FROM leases WHERE id IN ({marks})", leases)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _tell(self) -> None:
        """Tell every watch what it has not heard yet."""
        for watch in list(self._watches):
            changes = self._since(watch.told)
            if changes is not None:
                watch.told = changes.revision
                watch.on_changes(changes)

    def _since(self, told: int) -> Changes | None:
        rows = self._reads.execute("SELECT name, number FROM meta").fetchall()
        numbers: dict[str, int] = dict(rows)
        if numbers["revision"] == told:
            return None
        if told < numbers["forgotten"] or told > numbers["revision"]:
            snapshot = self._range("")
            return Changes(snapshot.revision, snapshot.entries, (), whole=True)
        last: dict[str, tuple[int, bytes | None]] = {}
        revision = told
        for revision, key, value in self._reads.execute(
            "SELECT revision, key, value FROM history WHERE revision > ? ORDER BY revision, rowid", (told,)
        ):
            last[key] = (revision, value)
        puts = {key: Entry(value, at) for key, (at, value) in last.items() if value is not None}
        deletes = tuple(key for key, (_, value) in last.items() if value is None)
        return Changes(max(revision, numbers["revision"]), puts, deletes)

    # Other processes.

    def _poll_later(self) -> None:
        self._polling = asyncio.get_running_loop().call_later(self._poll_s, self._poll)

    def _poll(self) -> None:
        """Look for other processes' commits, and for leases that ended."""
        try:
            version = self._reads.execute("PRAGMA data_version").fetchone()[0]
            if version != self._data_version:
                self._data_version = version
                self._tell()
            if self._ended() and self._burying is None:
                self._burying = asyncio.get_running_loop().create_task(self._bury_ended())
        except (sqlite3.Error, StoreUnavailable):
            pass  # the next writer reports it; watching goes on
        self._poll_later()

    def _ended(self) -> bool:
        """Whether there are leases to be buried."""
        ended = self._reads.execute("SELECT 1 FROM leases WHERE ends_ms < ? LIMIT 1", (self._clock.now_ms(),))
        return ended.fetchone() is not None

    async def _bury_ended(self) -> None:
        try:
            await self._run(lambda: self._bury([]))
            self._tell()
        except StoreUnavailable:
            pass
        finally:
            self._burying = None


def damage(path: str) -> list[str]:
    """What is wrong with a store's file, which a broker may be using; it is only read."""
    import json
    import os
    from urllib.parse import quote

    how = "mode=ro" if os.path.exists(f"{path}-wal") else "mode=ro&immutable=1"
    try:
        db = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True, timeout=_BUSY_TIMEOUT_S)
        try:
            found = [reason for (reason,) in db.execute("PRAGMA integrity_check(10)") if reason != "ok"]
            for key, value in db.execute("SELECT key, value FROM kv"):
                try:
                    json.loads(value)
                except ValueError as error:
                    found.append(f"{key}: {error}")
            return found
        finally:
            db.close()
    except sqlite3.Error as error:
        return [str(error)]
