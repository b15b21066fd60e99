"""The parts of the bench that need no broker: ratios, goals, the page, the pictures, and how its client counts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.bench import frames, page, plots, raw
from tests.bench.figure import METRICS, Figure, Results, at_least, at_most
from tests.bench.figures import FAMILIES, FIGURES, chosen
from tests.bench.ratios import Spread, number, percentile, ratio, shown, spread
from tests.bench.tempo import records_in

ABOUT = {"date": "2026-01-02", "machine": "a good one"}


def figure(name: str) -> Figure:
    (found,) = chosen([name])
    return found


def measured(*cpu: float) -> list[dict[str, float]]:
    return [{"cpu_us": one, "rate": 1000.0, "client": 50.0, "steal": 0.5} for one in cpu]


def results() -> Results:
    found: Results = {"runs": {}}
    runs = {"pykafkad": measured(20, 30, 10), "apache": measured(40, 40, 50)}
    assert page.merge(found, figure("produce/1KB/5"), runs, ABOUT)
    return found


def test_a_ratio_is_the_median_of_pairs_that_were_taken_together() -> None:
    assert ratio([10, 100, 30], [20, 100, 10]) == Spread(1, 0.5, 3, 3)
    assert ratio([1.0], []) is None
    assert ratio([1, 2], [0, 4]) == Spread(0.5, 0.5, 0.5, 1)


def test_percentiles_are_values_that_were_seen() -> None:
    ordered = [float(i) for i in range(1, 1001)]
    assert (percentile(ordered, 0.5), percentile(ordered, 0.99), percentile(ordered, 0.999)) == (500, 990, 999)
    assert percentile([7.0], 0.999) == 7


@pytest.mark.parametrize(
    "value, text", [(0, "0"), (0.0123, "0.012"), (0.456, "0.46"), (12.34, "12.3"), (456.7, "457"), (56_789, "56,800")]
)
def test_numbers_have_no_more_digits_than_they_deserve(value: float, text: str) -> None:
    assert number(value) == text


def test_a_spread_shows_its_ends() -> None:
    assert shown(spread([3, 1, 2])) == "2.00 (1.00–3.00)"
    assert (shown(spread([2])), shown(spread([]))) == ("2.00", "–")


def test_a_goal_is_a_bound_on_the_ratio() -> None:
    assert at_most(0.4).reached(0.4) and not at_most(0.4).reached(0.41)
    assert at_least(3).reached(3) and not at_least(3).reached(2.9)


def test_a_goal_with_a_unit_is_about_ours_alone() -> None:
    found: Results = {"runs": {}}
    runs = {"pykafkad": [{"first_txn_ms": 200.0}], "apache": [{"first_txn_ms": 100.0}]}
    assert page.merge(found, figure("transactions/first"), runs, ABOUT)
    assert "| 200 | 100 | 2.00 | ≤ 300 ms | reached |" in page.generated(found)
    (first,) = page.lines(figure("transactions/first"), runs)
    assert "goal ≤ 300 ms reached" in first
    assert page.merge(found, figure("transactions/first"), runs | {"pykafkad": [{"first_txn_ms": 400.0}]}, ABOUT)
    assert "first transaction committed: 400 where ≤ 300 ms was the goal" in page.generated(found)


def test_the_terminal_says_medians_ratio_and_verdict() -> None:
    runs = results()["runs"]["produce/1KB/5"]
    first, second, last = page.lines(figure("produce/1KB/5"), {k: runs[k] for k in ("pykafkad", "apache")})
    assert "pykafkad 20.0 (10.0–30.0)" in first and "ratio 0.50 (0.20–0.75)" in first
    assert "goal ≤ 0.4 not reached" in first and "goal ≥ 1.5 not reached" in second
    assert "client 50, 50 %" in last and "0.5 %" in last


def test_the_page_has_goals_families_and_what_is_missing() -> None:
    text = page.generated(results(), ["goals", "produce"])
    assert "| 20.0 (10.0–30.0) | 40.0 (40.0–50.0) | 0.50 (0.20–0.75) | ≤ 0.4 | **not reached** |" in text
    assert "- Produce, batches of 1 KB, 5 in flight: broker CPU per request: 0.50 (0.20–0.75) where ≤ 0.4" in text
    assert "| not measured |" in text and "img/goals.png" in text and "img/fetch.png" not in text
    assert "### Produce" in text and "### Fetch" not in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| Produce, ")}) == 1


def test_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text(f"# mine\n{page.BEGIN}\nold\n{page.END}\n## also mine\n")
    page.write(results(), tmp_path)
    text = (tmp_path / "performance.md").read_text()
    assert text.startswith("# mine\n") and text.endswith("## also mine\n") and "old" not in text
    assert page.load(tmp_path)["runs"] == json.loads(json.dumps(results()["runs"]))


def test_a_figure_is_repeated_by_itself_and_pairs_give_way_to_pairs_only() -> None:
    found = results()
    assert page.merge(found, figure("small/metadata"), {"pykafkad": measured(1)}, ABOUT)
    again = {"pykafkad": measured(5), "apache": measured(6)}
    assert page.merge(found, figure("produce/1KB/5"), again, ABOUT | {"date": "2026-01-03"})
    assert not page.merge(found, figure("produce/1KB/5"), {"pykafkad": measured(1)}, ABOUT)
    runs = found["runs"]
    assert runs["produce/1KB/5"] == {"date": "2026-01-03", **again} and set(runs) == {"produce/1KB/5", "small/metadata"}


def test_figures_have_names_of_their_own_and_metrics_that_exist() -> None:
    names = [f.name for f in FIGURES]
    assert len(set(names)) == len(names) and {f.family for f in FIGURES} == set(FAMILIES)
    assert not [f.name for f in FIGURES if set(f.shows) - set(METRICS) or set(f.goals) - set(f.shows)]
    assert {f.name for f in chosen(["produce/1KB"])} == {"produce/1KB/1", "produce/1KB/5", "produce/1KB/50"}


def test_pictures_are_drawn_from_what_there_is(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert plots.draw(results(), tmp_path) == ["goals", "produce"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["goals.png", "produce.png"]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64])
def test_answers_are_counted_however_they_arrive(step: int) -> None:
    stream = b"".join(struct.pack(">i", size) + bytes([size]) * size for size in (7, 0, 1, 30))
    answers, done = raw.Answers(), 0
    for at in range(0, len(stream), step):
        piece = memoryview(stream)[at : at + step]
        done += answers.feed(piece, len(piece))
    assert done == 4 and bytes(answers.first) == bytes([7]) * 7


def test_batches_come_in_the_size_that_was_asked() -> None:
    for size, record in ((1024, 0), (16_384, 0), (16_384, 1024), (16_384, 100), (1_047_552, 100)):
        assert 0.85 * size < len(frames.batch(size, record)) <= size


def test_records_in_a_fetch_answer_are_counted_from_the_expected_offset_on() -> None:
    from kafkawire.api import fetch
    from kafkawire.headers import response_frame
    from kafkawire.records import build

    batches = build([(None, b"a")], base_offset=3) + build([(None, b"b"), (None, b"c")], base_offset=4)
    partition = fetch.PartitionData(partition_index=0, records=memoryview(batches))
    response = fetch.Response(responses=[fetch.FetchableTopicResponse(topic="t", partitions=[partition])])
    answer = b"".join(bytes(part) for part in response_frame(7, response, frames.VERSIONS[frames.FETCH]))[4:]
    assert records_in(answer, 3) == 3
    with pytest.raises(AssertionError, match="offset 3"):
        records_in(answer, 2)
