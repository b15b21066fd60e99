"""aiokafka, which speaks transaction version 1 in code of its own: a producer and a reader behind plain calls. Its
event loop has a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from conformance.checking.history import Key, Read
from conformance.checking.producers import PATIENCE_S, TIMEOUT_MS, Aborting, Gone, Heard
from conformance.clients.aiokafka_driver import loop

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """TimeoutError if it takes longer; then it is given up."""
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), loop()).result()


class Aiokafka:
    def __init__(self, bootstrap: str, transactional_id: str, heard: Heard) -> None:
        self._bootstrap = bootstrap
        self._transactional_id = transactional_id
        self._heard = heard
        self._sent: list[tuple[str, asyncio.Future[Any]]] = []
        self._inner: Any = None

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        from aiokafka import errors

        try:
            return run(work, PATIENCE_S)
        # An AssertionError is how it says that it can't go on from the state that it is in.
        except (errors.ProducerFenced, errors.IllegalOperation, AssertionError, TimeoutError) as error:
            raise Gone(repr(error)) from error
        except errors.KafkaError as error:
            raise Aborting(repr(error)) from error

    def init(self) -> None:
        async def start() -> None:
            from aiokafka import AIOKafkaProducer

            self._inner = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                transactional_id=self._transactional_id,
                transaction_timeout_ms=TIMEOUT_MS,
                linger_ms=1,
                retry_backoff_ms=20,
                request_timeout_ms=10_000,
            )
            await self._inner.start()  # which asks for the identity too

        self._do(start())

    def begin(self) -> None:
        self._sent = []
        self._do(self._inner.begin_transaction())

    def send(self, key: Key, value: str) -> None:
        self._sent.append((value, self._do(self._inner.send(key[0], value.encode(), partition=key[1]))))

    def flush(self) -> None:
        async def flush() -> None:
            for value, future in self._sent:
                self._heard(value, (await future).offset)
            self._sent = []

        self._do(flush())

    def offsets(self, offsets: dict[Key, int], member: Any) -> None:
        """``member`` is a group's name: aiokafka doesn't say on whose behalf it commits."""
        from aiokafka import TopicPartition

        asked = {TopicPartition(*key): offset for key, offset in offsets.items()}
        self._do(self._inner.send_offsets_to_transaction(asked, member))

    def commit(self) -> None:
        self.flush()  # it would commit without what it couldn't send
        self._do(self._inner.commit_transaction())

    def abort(self) -> None:
        self._do(self._inner.abort_transaction())

    def close(self) -> None:
        async def stop() -> None:
            for _, future in self._sent:
                future.cancel()  # or it would wait for them
            await self._inner.stop()

        if self._inner is not None:
            with contextlib.suppress(Exception):  # it says again what was wrong with it
                run(stop(), 2)


class Reader:
    """Of committed records, from where it is told."""

    def __init__(self, bootstrap: str) -> None:
        async def start() -> Any:
            from aiokafka import AIOKafkaConsumer
            from aiokafka.errors import KafkaConnectionError

            while True:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=bootstrap,
                    auto_offset_reset="earliest",
                    isolation_level="read_committed",
                    fetch_max_wait_ms=50,
                    retry_backoff_ms=20,
                )
                try:
                    await consumer.start()
                    return consumer
                except KafkaConnectionError:  # it tries once
                    await consumer.stop()
                    await asyncio.sleep(0.1)

        self._inner = run(start(), PATIENCE_S)

    def assign(self, offsets: dict[Key, int]) -> None:
        from aiokafka import TopicPartition

        async def assign() -> None:
            self._inner.assign([TopicPartition(*key) for key in offsets])
            for key, offset in offsets.items():
                self._inner.seek(TopicPartition(*key), offset)

        run(assign(), PATIENCE_S)

    def poll(self, most: int = 200) -> list[Read]:
        found = run(self._inner.getmany(timeout_ms=100, max_records=most), PATIENCE_S)
        return [
            Read((one.topic, one.partition), one.offset, one.value.decode()) for ones in found.values() for one in ones
        ]

    def close(self) -> None:
        run(self._inner.stop(), PATIENCE_S)
