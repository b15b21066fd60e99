"""From a frame to its handler and back: decode, call, encode; and the one place that catches everything.

Hot file. What a request needs beyond its own bytes (decoder, handler, encoder, metric cells) hangs on one *route* per
API and version, made when the first such request comes; that is also when the API's modules are imported.

A handler is done with the request's record bytes when it returns, since the next read may overwrite them. Coroutine
functions run later, so their request is decoded from a copy.

The four ways a request can end badly (see errors.py): a ``Refused`` is the handler's business; a ``WireError`` or a
version that we don't have closes the connection; anything else is a defect of ours, logged once with its request,
counted, and answered UNKNOWN_SERVER_ERROR where the response has a place for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from struct import Struct
from typing import TYPE_CHECKING, Any

from kafkawire import codec
from kafkawire.errors import ErrorCode, WireError
from kafkawire.headers import read_request_header, response_frame
from kafkawire.keys import API, response_class
from pykafkad import api
from pykafkad.api.call import Call
from pykafkad.clock import stopwatch
from pykafkad.logs import log
from pykafkad.net.complaints import Complaints

if TYPE_CHECKING:
    from pykafkad.metrics import Metrics
    from pykafkad.net.plain import Connection, Slot
    from pykafkad.runtime.node import Node

# API key and version in one number, correlation id, length of the client id (int16, not compact in any version).
_head = Struct(">Iih").unpack_from
_HEAD_SIZE = 10
_UNKNOWN = int(ErrorCode.UNKNOWN_SERVER_ERROR)


class Route:
    """One API in one version."""

    __slots__ = (
        "copies", "decode", "errors", "flexible", "handle", "key", "local_ms", "name", "requests", "response",
        "total_ms", "version",
    )  # fmt: skip

    def __init__(self, handler: api.Handler, version: int, metrics: Metrics) -> None:
        flexible_since = API[handler.key].flexible_since
        self.key = handler.key
        self.name = handler.name
        self.version = version
        self.flexible = flexible_since is not None and version >= flexible_since
        self.decode: Callable[..., Any] = codec.decoder(handler.request, version)
        self.handle = handler.handle
        self.copies = iscoroutinefunction(handler.handle)
        self.response: type[Any] = response_class(handler.key)
        self.requests = metrics.counter("kafka_network_requestmetrics_requests_total", handler.label, str(version))
        self.total_ms = metrics.summary("kafka_network_requestmetrics_totaltimems", handler.label)
        self.local_ms = metrics.summary("kafka_network_requestmetrics_localtimems", handler.label)
        self.errors = metrics.counter(
            "kafka_network_requestmetrics_errors_total", handler.label, ErrorCode.UNKNOWN_SERVER_ERROR.name
        )


class Dispatcher:
    """Serves the frames of all connections of one broker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, node: Node, metrics: Metrics) -> None:
        self._loop = loop
        self._node = node
        self._metrics = metrics
        self._routes: dict[int, Route] = {}
        self._defects = Complaints(log.error, loop.time)

    def serve(self, connection: Connection, view: memoryview, start: int, stop: int, now: int, started: float) -> None:
        """Serve the request in ``view[start:stop]``, which came at ``now`` (ms) and ``started`` (stopwatch)."""
        if stop - start < _HEAD_SIZE:
            connection.refuse("header", "closed a connection: request too short for a header", size=stop - start)
            return
        code, correlation, length = _head(view, start)
        route = self._routes.get(code)
        if route is None:
            route = self._find(connection, code, correlation)
            if route is None:
                return
        route.requests.value += 1
        try:
            body = start + _HEAD_SIZE
            if length > 0:
                body += length
                written = bytes(view[start + _HEAD_SIZE : body])
                if written != connection.client_bytes:
                    connection.client_id = written.decode()
                    connection.client_bytes = written
            elif connection.client_bytes:
                connection.client_id, connection.client_bytes = "", b""
            if route.flexible:
                if body < stop and not view[body]:
                    body += 1  # no tagged fields, as ever
                else:
                    body = start + read_request_header(view[start:stop])[1]
            if body > stop:
                raise WireError("client id is longer than the request")
            request = route.decode(bytes(view[body:stop]) if route.copies else view[body:stop])
        except (WireError, UnicodeDecodeError) as error:
            connection.refuse(
                "wire",
                "closed a connection: unreadable request",
                api=route.name,
                version=route.version,
                reason=str(error),
            )
            return
        call = Call(self._node, connection.peer, route.key, route.version, connection.client_id, now)
        try:
            result = route.handle(call, request)
            if type(result) is route.response:
                connection.answer(response_frame(correlation, result, route.version))
                took = (stopwatch() - started) * 1000.0
                route.local_ms.observe(took)
                route.total_ms.observe(took)
                return
            if result is None:
                return
            if not isinstance(result, asyncio.Future):
                result = self._loop.create_task(result)
            elif result.done():
                result = result.result()
                connection.answer([] if result is None else response_frame(correlation, result, route.version))
                took = (stopwatch() - started) * 1000.0
                route.local_ms.observe(took)
                route.total_ms.observe(took)
                return
        except WireError as error:
            # A handler may read bytes that the codec left alone (records, embedded metadata).
            connection.refuse(
                "wire",
                "closed a connection: unreadable request",
                api=route.name,
                version=route.version,
                reason=str(error),
            )
            return
        except Exception as error:
            pieces = self._failed(connection, route, correlation, error, request)
            if pieces is not None:
                connection.answer(pieces)
            return
        route.local_ms.observe((stopwatch() - started) * 1000.0)
        # A Task is finished even if nobody waits for its answer any more; a plain future is cancelled then.
        waits = None if isinstance(result, asyncio.Task) else result
        slot = connection.wait(waits, not call.next_let)
        result.add_done_callback(partial(self._answer_later, connection, slot, route, correlation, request, started))

    def _answer_later(
        self,
        connection: Connection,
        slot: Slot,
        route: Route,
        correlation: int,
        request: Any,
        started: float,
        future: asyncio.Future[Any],
    ) -> None:
        pieces: list[Any] | None = []
        try:
            result = future.result()
            if result is not None:
                pieces = response_frame(correlation, result, route.version)
        except asyncio.CancelledError:
            if not connection.closed:
                log.debug("request cancelled", api=route.name, client=connection.client_id)
                connection.close()
        except Exception as error:
            pieces = self._failed(connection, route, correlation, error, request)
        route.total_ms.observe((stopwatch() - started) * 1000.0)
        connection.answer_later(slot, pieces or [])

    def _find(self, connection: Connection, code: int, correlation: int) -> Route | None:
        """The route of an API and version that wasn't asked for yet; None if there is none, and the peer was told."""
        key, version = _signed(code >> 16), _signed(code & 0xFFFF)
        served = api.RANGES.get(key)
        if served is not None and served.min_version <= version <= served.max_version:
            handler = api.load(key)
            assert handler is not None
            route = self._routes[code] = Route(handler, version, self._metrics)
            return route
        if (fallback := api.answer_to_any_version(key)) is not None:
            message, version = fallback
            connection.answer(response_frame(correlation, message, version))
            return None
        known = API.get(key)
        connection.refuse(
            "version",
            "closed a connection: API or version not supported",
            api=known.name if known else key,
            version=version,
        )
        return None

    def _failed(
        self, connection: Connection, route: Route, correlation: int, error: Exception, request: Any
    ) -> list[Any] | None:
        """A defect of ours: log it with its request, count it, and give what can be answered; else close."""
        route.errors.value += 1
        host, port = connection.peer.address
        self._defects.say(
            f"{route.name} {type(error).__name__}",
            "request failed",
            api=route.name,
            version=route.version,
            peer=f"{host}:{port}",
            client=connection.client_id,
            request=_excerpt(request),
            exc_info=error,
        )
        try:
            return response_frame(correlation, route.response(error_code=_UNKNOWN), route.version)
        except Exception:  # no such field, or not in this version
            connection.close()
            return None


def _signed(number: int) -> int:
    return number - 0x10000 if number & 0x8000 else number


def _excerpt(request: Any) -> str:
    """A request as a log line shows it: short, and without records."""
    try:
        return repr(request)[:500]
    except Exception as error:
        return f"<{type(error).__name__} in repr>"
