"""Other people's test suites against our broker and against Apache Kafka.

    python -m conformance.thirdparty librdkafka|kafka-python|findings [--broker pykafkad|apache|both] [--only 0001,0042]

A suite is fetched and built outside the repository. What passes against Apache Kafka is the list of tests that count;
results go to ``conformance/results/<suite>.json``, and ``conformance/FINDINGS.md`` is written from them and from
``reasons.toml``, which holds what was found out about each failure.
"""
