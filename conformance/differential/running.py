"""Runs scripts against two brokers at once and counts what came out equal, differs on purpose, or differs."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.differential.comparing import Comparison, Difference, Symbols, shown
from conformance.differential.meant import Meant
from conformance.differential.scripts import Script
from conformance.differential.side import Exchange, Side, Versions
from conformance.differential.wire import BY_NAME, Connection, read_answer
from kafkawire.keys import request_class

AT_ONCE = 10
API_VERSIONS = 18


Outcome = tuple[list[Exchange], list[Exchange], list[tuple[str, str]]]
"""Both accounts of one script, and where it stopped."""


class Verdict(NamedTuple):
    api: str
    version: int
    what: str
    differences: list[Difference]
    excuses: list[Meant]  # one for each difference, if all are excused


@dataclass
class Tally:
    """What a run found."""

    apis: dict[str, Counter[str]] = field(default_factory=dict)
    meant: Counter[Meant] = field(default_factory=Counter)
    excused: list[tuple[Meant, dict[str, Any]]] = field(default_factory=list)
    different: list[dict[str, Any]] = field(default_factory=list)
    once: list[dict[str, Any]] = field(default_factory=list)
    """What differed while many scripts ran at once and didn't when its script ran again by itself, or not so."""
    texts: int = 0  # error messages that read otherwise
    seconds: float = 0.0

    def total(self) -> Counter[str]:
        return sum(self.apis.values(), Counter())

    def take(self, other: Tally) -> None:
        """What one script found."""
        for api, counts in other.apis.items():
            self.apis.setdefault(api, Counter()).update(counts)
        self.meant.update(other.meant)
        self.excused += other.excused
        self.different += other.different
        self.texts += other.texts

    def add(self, script: str, verdict: Verdict) -> None:
        counts = self.apis.setdefault(verdict.api, Counter())
        counts["requests"] += 1
        if not verdict.differences:
            counts["equal"] += 1
        elif verdict.excuses:
            counts["unserved" if all(rule.unserved for rule in verdict.excuses) else "meant"] += 1
            self.meant.update(set(verdict.excuses))
            self.excused += zip(verdict.excuses, _entries(script, verdict), strict=True)
        else:
            counts["different"] += 1
            self.different += _entries(script, verdict)

    def stopped(self, script: str, side: str, why: str) -> None:
        counts = self.apis.setdefault("(script)", Counter())
        counts["requests"] += 1
        counts["different"] += 1
        what = f"{script}: stopped on side {side}"
        self.different.append({"api": "(script)", "version": 0, "what": what, "a": why, "b": ""})


def _entries(script: str, verdict: Verdict) -> Iterator[dict[str, Any]]:
    for path, a, b in verdict.differences:
        what = f"{script}: {verdict.what}{' ' if verdict.what else ''}{path}"
        yield {"api": verdict.api, "version": verdict.version, "what": what, "a": a, "b": b}


class Pair:
    """Two brokers, ready to be compared."""

    def __init__(
        self,
        a: str,
        b: str,
        *,
        allowed: dict[str, Versions],
        seed: int = 0,
        meant: Sequence[Meant] = (),
        tag: str = "",
    ) -> None:
        self.bootstraps = (a, b)
        self.seed = seed
        self.tag = tag
        self.moment = (int(time.time()) - 3600) * 1000
        self.meant = meant
        self.served = _common(allowed, versions(a), versions(b))
        self.symbols = Symbols()

    def sides(self, name: str, tag: str = "") -> tuple[Side, Side]:
        a, b = (Side(where, name, self.served, self.seed, self.moment, self.tag + tag) for where in self.bootstraps)
        return a, b

    def run(self, scripts: Iterable[Script], progress: Callable[[int, int, Tally], None]) -> Tally:
        """Scripts that look at the whole broker or change it run one after the other, the rest several at once. Those
        that came out different run once more by themselves in the end, and that counts: on a busy machine sessions end
        and answers are late on one side alone.
        """
        tally = Tally()
        began = time.monotonic()
        todo = list(scripts)
        self._warm()
        done = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            together = pool.map(lambda script: (script, self._run(script)), [s for s in todo if not s.alone])
            alone = ((script, self._run(script)) for script in todo if script.alone)
            doubtful: list[Script] = []
            for some in (together, alone):
                for script, outcome in some:
                    found = self._weigh(script, outcome)
                    if found.different:
                        doubtful.append(script)
                        tally.once += found.different
                    else:
                        tally.take(found)
                    done += 1
                    tally.seconds = time.monotonic() - began
                    progress(done, len(todo), tally)
        for script in doubtful:
            tally.take(self._weigh(script, self._run(script, "-again")))
        tally.seconds = time.monotonic() - began
        progress(done, len(todo), tally)
        return tally

    def _weigh(self, script: Script, outcome: Outcome) -> Tally:
        """What came out of one script."""
        a, b, failures = outcome
        found = Tally()
        for verdict in self._judge(script, a, b, found):
            found.add(script.name, verdict)
        for side, why in failures:
            found.stopped(script.name, side, why)
        return found

    def _run(self, script: Script, tag: str = "") -> Outcome:
        sides = self.sides(script.name, tag)
        failures: list[tuple[str, str]] = []

        def go(side: Side, which: str) -> None:
            try:
                script.run(side)
            except Exception:
                failures.append((which, traceback.format_exc(limit=-3)))
            finally:
                side.close()

        threads = [threading.Thread(target=go, args=(side, which)) for side, which in zip(sides, "ab", strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sides[0].exchanges, sides[1].exchanges, sorted(failures)

    def _judge(self, script: Script, a: list[Exchange], b: list[Exchange], tally: Tally) -> Iterator[Verdict]:
        symbols = Symbols(self.symbols)
        for left, right in zip(a, b, strict=False):
            if left[:3] != right[:3]:
                step = Difference("", f"v{left.version} {left.what}", f"{right.api} v{right.version} {right.what}")
                yield Verdict(left.api, left.version, "out of step", [step], [])
                return
            comparison = Comparison(left.api, symbols)
            found = list(comparison.differences(left.answer, right.answer))
            tally.texts += bool(comparison.texts)
            excuses = [self._excuse(left, right, difference) for difference in found]
            known = [excuse for excuse in excuses if excuse is not None]
            yield Verdict(left.api, left.version, left.what, found, known if len(known) == len(found) else [])
        if len(a) != len(b):
            tally.stopped(script.name, "ab", f"{len(a)} against {len(b)} requests")

    def _excuse(self, a: Exchange, b: Exchange, difference: Difference) -> Meant | None:
        return next((rule for rule in self.meant if rule.excuses(a, b, difference)), None)

    def _warm(self) -> None:
        """Let both make and load their internal topics, and learn who they are."""
        sides = self.sides("warm")
        for side in sides:
            for _ in range(400):
                answer = side.tell("find_coordinator", 3, key="warm", key_type=0)
                if answer and not answer.error_code:
                    break
                time.sleep(0.05)
            for kind, key in (
                (1, "warm"),
                (2, f"warm:{22 * 'A'}:0"),
            ):  # where there are any
                for _ in range(40):
                    answer = side.tell("find_coordinator", 6, coordinator_keys=[key], key_type=kind)
                    if answer and not answer.coordinators[0].error_code:
                        break
                    time.sleep(0.1)
            for _ in range(200):
                answer = side.tell("init_producer_id", 1, transactional_id=None, transaction_timeout_ms=1000)
                if answer and not answer.error_code:
                    break
                time.sleep(0.05)
            for i in range(60):  # some group of each partition
                asked = [{"group_id": f"warm-{i}", "topics": None}]
                for _ in range(200):
                    answer = side.tell("offset_fetch", 8, groups=asked)
                    if answer and not answer.groups[0].error_code:
                        break
                    time.sleep(0.05)
        who = [side.tell("metadata", 9, topics=[{"name": "__consumer_offsets"}]) for side in sides]
        for _ in Comparison("metadata", self.symbols).differences(*who):
            pass
        for side in sides:
            side.close()


def versions(bootstrap: str) -> dict[str, Versions]:
    """What a broker says it serves."""
    host, _, port = bootstrap.rpartition(":")
    connection = Connection(host, int(port))
    connection.request("api_versions", 0, request_class(API_VERSIONS)())
    answer = read_answer(API_VERSIONS, 0, connection.receive(10))
    connection.close()
    keys = {api.key: name for name, api in BY_NAME.items()}
    return {keys[k.api_key]: Versions(k.min_version, k.max_version) for k in answer.api_keys if k.api_key in keys}


def _common(*tables: dict[str, Versions]) -> dict[str, Versions]:
    first, *others = tables
    common = {}
    for api, (low, high) in first.items():
        if all(api in other for other in others):
            low = max(low, *(other[api].first for other in others))
            high = min(high, *(other[api].last for other in others))
            common[api] = Versions(low, high)
    return common


__all__ = ["Pair", "Tally", "Verdict", "shown", "versions"]
