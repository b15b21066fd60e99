"""Programs that live on transactions, killed and restarted again and again, and their broker with them.

Kafka Streams, Kafka Connect, Flink, Java's own consume-transform-produce: what they leave behind is held against a
batch computation of the same input. ``python -m conformance.peers streams --rounds 50`` (``make peers ARGS=streams``);
``--broker apache`` asks Apache Kafka the same.
"""
