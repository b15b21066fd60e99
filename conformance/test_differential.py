"""The wire-level differential as a test: a fast part of it, whenever Apache Kafka takes part in the run anyway.

All of it: ``python -m conformance.differential``.
"""

from __future__ import annotations

import json

import pytest

from conformance import brokers
from conformance.differential import report
from conformance.differential.__main__ import differential
from conformance.differential.comparing import Comparison, Symbols
from conformance.differential.trees import build, variations
from kafkawire.api import describe_groups, metadata

FAST = ("groups life v5", "fetch session v12", "edges metadata", "edges offset_commit v9", "topics seen")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("other", ["apache", "pykafkad"])
def test_nothing_differs_but_what_is_meant(other: str, pytestconfig: pytest.Config) -> None:
    """First Apache Kafka against another Apache Kafka; only when that finds nothing is our broker judged."""
    if pytestconfig.getoption("--broker") not in ("apache", "both"):
        pytest.skip("the differential wants --broker apache or both")
    if missing := brokers.apache_missing():
        pytest.skip(missing)
    tally, _ = differential("apache", other, scripts=FAST, quiet=True)
    assert tally.total()["requests"] > 300
    assert not tally.different, json.dumps(tally.different[:20], indent=1, ensure_ascii=False)


def test_the_page_is_written_from_the_rules() -> None:
    assert report.PAGE.read_text() == report.page(), "python -m conformance.differential --page"


def described(*member_ids: str, state: str = "Stable") -> describe_groups.Response:
    members = [{"member_id": member_id} for member_id in member_ids]
    return build(describe_groups.Response, {"groups": [{"group_state": state, "members": members}]}, 5)


UUIDS = [f"cli-{n:08x}-0000-0000-0000-000000000000" for n in range(4)]


def test_made_up_ids_are_learned_and_then_insisted_on() -> None:
    symbols = Symbols()

    def differ(a: describe_groups.Response, b: describe_groups.Response) -> list[str]:
        return [d.path for d in Comparison("describe_groups", symbols).differences(a, b)]

    assert not differ(described(UUIDS[0]), described(UUIDS[1]))
    assert not differ(described(UUIDS[0], UUIDS[2]), described(UUIDS[3], UUIDS[1]))  # in whatever order
    assert differ(described(UUIDS[2]), described(UUIDS[1]))
    assert differ(described("nobody"), described(UUIDS[1]))
    assert differ(described(state="Empty"), described(state="Dead")) == [".groups[0].group_state"]


def test_one_change_for_each_variation() -> None:
    tree = {"topics": [{"name": "t"}], "allow_auto_topic_creation": False}
    made = dict(variations(metadata.Request, tree, 12))
    assert made["topics=null"]["topics"] is None and made["topics twice"]["topics"] == tree["topics"] * 2
    assert made["topics[0].name=''"] == {**tree, "topics": [{"name": ""}]}
    assert all(sum(changed.get(k) != tree.get(k) for k in changed) == 1 for changed in made.values())
