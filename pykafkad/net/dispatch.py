"""From a frame to its handler and back: decode, call, encode; and the one place that catches everything.

Hot file. What a request needs beyond its own bytes (decoder, handler, encoder, metric cells) hangs on one *route* per
API and version, made when the first such request comes; that is also when the API's modules are imported.

Requests that come again and again, in pieces that are known (see kafkawire/moulds.py), take a shorter way: those that
arrived together and fit one mould are handed to their handler in one call. A Fetch that comes again on the same
connection, at another offset, is recognised as a whole (kafkawire/fetch_moulds.py).

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
from struct import error as StructError
from typing import TYPE_CHECKING, Any

from kafkawire import codec
from kafkawire.errors import ErrorCode, TrailingBytes, WireError
from kafkawire.headers import API_VERSIONS, is_flexible, read_request_header, response_frame
from kafkawire.keys import API, response_class
from pykafkad import api
from pykafkad.api.call import Call, CloseConnection
from pykafkad.clock import stopwatch
from pykafkad.logs import log
from pykafkad.metrics import Summary
from pykafkad.net.complaints import Complaints
from pykafkad.runtime.waits import Poll

if TYPE_CHECKING:
    from kafkawire.fetch_moulds import FetchMould
    from kafkawire.moulds import Mould
    from pykafkad.metrics import Metrics
    from pykafkad.net.plain import Connection, Slot
    from pykafkad.runtime.node import Node

# API key and version in one number, correlation id, length of the client id (int16, not compact in any version).
_head = Struct(">Iih").unpack_from
_next_head = Struct(">iIi").unpack_from  # the size before it, and no client id
_size_and_correlation = Struct(">ii").pack_into
BODY = 8  # behind API key, version and correlation id: where what comes again begins
_HEAD_SIZE = 10
_NEXT_SIZE = 12
_RUN_MAX = 64  # requests served in one call
_MOULDS_MAX = 4096  # of one API and version; about a kilobyte each
# What decoders raise on bytes that can't be a request.
_UNREADABLE = (WireError, IndexError, StructError, ValueError, OverflowError)
_UNKNOWN = int(ErrorCode.UNKNOWN_SERVER_ERROR)


class Route:
    """One API in one version."""

    __slots__ = (
        "again", "at_once_ms", "code", "copies", "decode", "encode", "errors", "flexible", "handle", "head", "key",
        "local_ms", "moulds", "name", "repeat", "requests", "response", "total_ms", "version", "view",
    )  # fmt: skip

    def __init__(self, handler: api.Handler, version: int, metrics: Metrics) -> None:
        key = handler.key
        self.key = key
        self.code = key << 16 | version
        self.again, self.repeat = handler.again, handler.repeat
        self.moulds: dict[bytes, Mould] = {}  # by what they begin with
        self.name = handler.name
        self.version = version
        self.flexible = is_flexible(key, version)
        self.handle = handler.handle
        self.response: type[Any] = response_class(key)
        decode: Any = codec.decoder(handler.request, version)
        self.decode: Callable[..., Any] = decode
        self.encode: Callable[..., bytearray] = codec.encoder(self.response, version)
        self.head = bytes(9 if self.flexible and key != API_VERSIONS else 8)  # size, correlation id, no tagged fields
        # Generated decoders want bytes, unless the message has records: those are looked at where they arrived, save by
        # coroutines, which run when the next read has overwritten them.
        self.view = decode.wants_view
        self.copies = not self.view or iscoroutinefunction(handler.handle)
        self.requests = metrics.counter("kafka_network_requestmetrics_requests_total", handler.label, str(version))
        local, total = "kafka_network_requestmetrics_localtimems", "kafka_network_requestmetrics_totaltimems"
        # Most requests are answered at once: their local time is their total time, and is counted once.
        self.at_once_ms = metrics.summary(local, handler.label, base=Summary()).base or Summary()
        self.local_ms = metrics.summary(local, handler.label)
        self.total_ms = metrics.summary(total, handler.label, base=self.at_once_ms)
        self.errors = metrics.counter(
            "kafka_network_requestmetrics_errors_total", handler.label, ErrorCode.UNKNOWN_SERVER_ERROR.name
        )

    def frame(self, correlation: int, response: Any) -> list[Any]:
        """The response as it is sent."""
        pieces: list[Any] = []
        last = self.encode(response, bytearray(self.head), pieces)
        if not pieces:
            _size_and_correlation(last, 0, len(last) - 4, correlation)
            return [last]
        if last:
            pieces.append(last)
        _size_and_correlation(pieces[0], 0, sum(map(len, pieces)) - 4, correlation)
        return pieces


class Dispatcher:
    """Serves the frames of all connections of one broker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, node: Node, metrics: Metrics) -> None:
        self._loop = loop
        self._node = node
        self._metrics = metrics
        self._routes: dict[int, Route] = {}
        self._defects = Complaints(log.error, loop.time)
        self.started = 0.0
        """When the request that is being served began to be (stopwatch): when it came, or when the one before it was
        done.
        """

    def serve(self, connection: Connection, view: memoryview, start: int, stop: int, end: int, now: int) -> int:
        """Serve the request in ``view[start:stop]``, which came at ``now`` (ms), and perhaps some of those that follow
        it before ``end``. Returns where it stopped.
        """
        if stop - start < _HEAD_SIZE:
            connection.refuse("header", "closed a connection: request too short for a header", size=stop - start)
            return stop
        code, correlation, length = _head(view, start)
        route = self._routes.get(code)
        if route is None:
            route = self._find(connection, code, correlation)
            if route is None:
                return stop
        repeated = connection.repeated
        if (
            repeated is not None
            and repeated.code == code
            and (asked := repeated.fits(bytes(view[start:stop]))) is not None
            and self._serve_repeated(connection, route, repeated, asked, now)
        ):
            return stop
        mould: Mould | None = None
        if route.moulds and connection.usual:
            mould = route.moulds.get(bytes(view[start + BODY : start + connection.usual]))
            if mould is not None:
                reached = self._serve_run(connection, route, mould, view, start, stop, end, now)
                if reached:
                    return reached
        started = self.started
        route.requests.value += 1
        try:
            body = start + _HEAD_SIZE
            if length > 0:
                body += length
                written = bytes(view[start + _HEAD_SIZE : body])
                if written != connection.client_bytes:
                    connection.client_id = written.decode("utf-8", "replace")  # a label: Kafka takes any bytes too
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
            payload: bytes | memoryview = view[body:stop]
            if route.copies:
                payload = bytes(payload)
                if route.view:
                    payload = memoryview(payload)
            request = route.decode(payload)
        except TrailingBytes as more:
            request = more.decoded  # Kafka doesn't look at them, and librdkafka's Metadata has some
        except _UNREADABLE as error:
            _refuse_unreadable(connection, route, error)
            return stop
        if route.again is not None and mould is None:
            self._learn(connection, route, view[start:stop], request)
        elif route.repeat is not None and (repeated is None or repeated.used):
            found = route.repeat.learn(view[start:stop], route.version, connection.client_id, request)
            connection.repeated = found or repeated
        call = Call(self._node, connection.peer, route.key, route.version, connection.client_id, now)
        try:
            result = route.handle(call, request)
            if type(result) is route.response:
                connection.answer(route.frame(correlation, result))
            elif result is None:
                pass
            elif not isinstance(result, (asyncio.Future, Poll)):
                self._wait(connection, self._loop.create_task(result), call, route, correlation, request, started)
                return stop
            elif result.done():
                result = result.result()
                if result is not None:
                    connection.answer(route.frame(correlation, result))
            else:
                self._wait(connection, result, call, route, correlation, request, started)
                return stop
        except WireError as error:
            # A handler may read bytes that the codec left alone, or find that hanging up is the only answer.
            _refuse_unreadable(connection, route, error)
            return stop
        except Exception as error:
            pieces = self._failed(connection, route, correlation, error, request)
            if pieces is not None:
                connection.answer(pieces)
            return stop
        done = self.started = stopwatch()
        route.at_once_ms.observe((done - started) * 1000.0)
        return stop

    def _serve_run(
        self,
        connection: Connection,
        route: Route,
        mould: Mould,
        view: memoryview,
        start: int,
        stop: int,
        end: int,
        now: int,
    ) -> int:
        """Serve the request at ``start`` and those behind it that fit the same mould. Where it stopped; 0 if nothing
        was served, because they have to go the ordinary way.
        """
        code, prefix, cut = route.code, mould.prefix, mould.records
        skip, most = connection.usual, connection.server.frame_max
        correlations: list[int] = []
        batches: list[memoryview] = []
        reached = 0
        _, _, correlation = _next_head(view, start - 4)
        while (records := cut(view, start + skip, stop)) is not None:
            correlations.append(correlation)
            batches.append(records)
            reached = stop
            if end - stop <= _NEXT_SIZE or len(batches) == _RUN_MAX:
                break
            size, following, correlation = _next_head(view, stop)
            start = stop + 4
            stop = start + size
            if following != code or stop > end or size > most or bytes(view[start + BODY : start + skip]) != prefix:
                break
        if not batches:
            return 0
        assert route.again is not None
        call = Call(self._node, connection.peer, route.key, route.version, mould.client_id, now)
        try:
            pieces = route.again.serve(call, mould, correlations, batches)
        except Exception as error:  # some may have been done: the client is to ask, not to be told the wrong thing
            self._failed(connection, route, correlations[0], error, mould)
            connection.close()
            return reached
        if pieces is None:
            return 0
        connection.answer(pieces)
        times = len(batches)
        route.requests.value += times
        done = stopwatch()
        route.at_once_ms.observe_run((done - self.started) * 1000.0, times)
        self.started = done
        return reached

    def _serve_repeated(
        self, connection: Connection, route: Route, mould: FetchMould, asked: tuple[int, int, int], now: int
    ) -> bool:
        """Serve a request that fits what this connection asked before; False if it has to go the ordinary way."""
        assert route.repeat is not None
        started = self.started
        call = Call(self._node, connection.peer, route.key, route.version, mould.client_id, now)
        correlation = asked[0]
        try:
            result = route.repeat.serve(call, mould, *asked)
        except Exception as error:
            pieces = self._failed(connection, route, correlation, error, asked)
            if pieces is not None:
                connection.answer(pieces)
            return True
        if result is None:
            return False
        mould.used = True
        route.requests.value += 1
        if isinstance(result, Poll):
            self._wait(connection, result, call, route, correlation, asked, started)
        else:
            connection.answer(result)
            done = self.started = stopwatch()
            route.at_once_ms.observe((done - started) * 1000.0)
        return True

    def _learn(self, connection: Connection, route: Route, frame: memoryview, request: Any) -> None:
        """Remember what a request looks like that may come again."""
        assert route.again is not None
        mould = route.again.learn(frame, route.version, connection.client_id, request)
        if mould is not None:
            if len(route.moulds) >= _MOULDS_MAX:
                route.moulds.clear()
            route.moulds[mould.prefix] = mould
            connection.usual = BODY + len(mould.prefix)

    def _wait(
        self,
        connection: Connection,
        future: asyncio.Future[Any] | Poll,
        call: Call,
        route: Route,
        correlation: int,
        request: Any,
        started: float,
    ) -> None:
        route.local_ms.observe((stopwatch() - started) * 1000.0)
        # A Task is finished even if nobody waits for its answer any more; a plain future is cancelled then.
        waits = None if isinstance(future, asyncio.Task) else future
        slot = connection.wait(waits, not call.next_let)
        future.add_done_callback(partial(self._answer_later, connection, slot, route, correlation, request, started))

    def _answer_later(
        self,
        connection: Connection,
        slot: Slot,
        route: Route,
        correlation: int,
        request: Any,
        started: float,
        future: asyncio.Future[Any] | Poll,
    ) -> None:
        pieces: list[Any] | None = []
        try:
            result = future.result()
            if result is not None:
                pieces = result if type(result) is list else route.frame(correlation, result)
        except WireError as error:
            _refuse_unreadable(connection, route, error)
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
            try:
                handler = api.load(key)
                assert handler is not None
                route = self._routes[code] = Route(handler, version, self._metrics)
            except Exception as error:  # a module that can't be loaded: there is nobody to answer
                self._defects.say(served.name, "API can't be loaded", api=served.name, exc_info=error)
                connection.close()
                return None
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
            return route.frame(correlation, route.response(error_code=_UNKNOWN))
        except Exception:  # no such field, or not in this version
            connection.close()
            return None


def _refuse_unreadable(connection: Connection, route: Route, error: Exception) -> None:
    if isinstance(error, CloseConnection):
        connection.refuse("hang up", "closed a connection", api=route.name, version=route.version, reason=str(error))
        return
    connection.refuse(
        "wire", "closed a connection: unreadable request", api=route.name, version=route.version, reason=str(error)
    )


def _signed(number: int) -> int:
    return number - 0x10000 if number & 0x8000 else number


def _excerpt(request: Any) -> str:
    """A request as a log line shows it: short, and without records."""
    try:
        return repr(request)[:500]
    except Exception as error:
        return f"<{type(error).__name__} in repr>"
