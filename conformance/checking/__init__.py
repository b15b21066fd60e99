"""Transactions under faults, held against what was promised: a workload, faults, a history, and a judge.

``python -m conformance.checking --minutes 10`` (``make check-transactions``). Processes write in transactions, move
records from topic to topic within transactions, and read, while the broker is killed, connections break, answers get
lost and producers stop for too long or meet a second one under their name. Everything that anybody asked and was told
goes into a history, a JSON line each; ``judging.py`` looks in it, and nowhere else, for what Kafka rules out. The idea,
and the names of what can go wrong, are those of Jepsen's Kafka workload.

A judge who never finds anything may be blind. ``--plant NAME`` runs a broker with a bug in it, ``--plants`` one after
the other with each that we know, and every one must be found.
"""
