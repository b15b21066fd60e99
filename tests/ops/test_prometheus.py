"""The exposition, read by Prometheus's own parser."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pykafkad.metrics import DECLARED, Metrics
from pykafkad.ops.prometheus import all_lines, exposition


def parsed(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


async def test_every_kind_of_metric_is_read_back() -> None:
    metrics = Metrics()
    metrics.counter("kafka_server_brokertopicmetrics_messagesin_total", "orders").value += 42
    metrics.gauge("kafka_server_replicamanager_partitioncount", lambda: 7)
    odd = 'a "group"\\with\nall of it'
    metrics.gauge_by("kafka_consumergroup_lag", lambda: [((odd, "orders", "0"), 12)])
    took = metrics.summary("kafka_network_requestmetrics_totaltimems", "Produce")
    for value in (0.1, 0.2, 0.4, 100.0):
        took.observe(value)
    samples = parsed((await exposition(metrics)).decode())
    assert samples["kafka_server_brokertopicmetrics_messagesin_total"] == {(("topic", "orders"),): 42}
    assert samples["kafka_server_replicamanager_partitioncount"] == {(): 7}
    assert samples["kafka_consumergroup_lag"] == {(("group", odd), ("partition", "0"), ("topic", "orders")): 12}
    times = samples["kafka_network_requestmetrics_totaltimems"]
    assert 0.2 <= times[(("quantile", "0.5"), ("request", "Produce"))] <= 0.26
    assert 100 <= times[(("quantile", "0.99"), ("request", "Produce"))] <= 130
    assert samples["kafka_network_requestmetrics_totaltimems_count"] == {(("request", "Produce"),): 4}
    assert samples["kafka_network_requestmetrics_totaltimems_sum"][(("request", "Produce"),)] == pytest.approx(100.7)
    assert samples["process_resident_memory_bytes"][()] > 1_000_000


def test_a_gauge_that_fails_takes_no_other_with_it() -> None:
    metrics = Metrics()
    metrics.gauge("kafka_server_replicamanager_partitioncount", lambda: 1 // 0)
    metrics.gauge("kafka_server_replicamanager_leadercount", lambda: 3)
    assert "kafka_server_replicamanager_leadercount 3" in list(all_lines(metrics))


def test_only_declared_metrics_exist_and_labels_are_checked() -> None:
    metrics = Metrics()
    with pytest.raises(AssertionError):
        metrics.counter("made_up_total")
    with pytest.raises(AssertionError):
        metrics.counter("kafka_server_brokertopicmetrics_messagesin_total")
    with pytest.raises(AssertionError):
        metrics.gauge("kafka_server_brokertopicmetrics_messagesin_total", lambda: 0)


def test_names_are_prometheus_names() -> None:
    for name, declared in DECLARED.items():
        assert name.islower() and name.replace("_", "").isalnum(), name
        assert declared.help and "\n" not in declared.help
        assert (declared.kind == "counter") == name.endswith(("_total", "_count")) or declared.kind != "counter"


def test_topics_that_are_gone_are_forgotten() -> None:
    metrics = Metrics()
    metrics.counter("kafka_server_brokertopicmetrics_messagesin_total", "old").value += 1
    metrics.counter("kafka_server_brokertopicmetrics_messagesin_total", "new").value += 1
    metrics.forget("old")
    assert list(metrics.counters["kafka_server_brokertopicmetrics_messagesin_total"]) == [("new",)]
