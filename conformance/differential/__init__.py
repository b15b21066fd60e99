"""The wire-level differential: the same request frames to two brokers, their decoded answers compared field by field.

    python -m conformance.differential --a apache --b pykafkad

``scripts`` say what is asked; a ``Side`` asks it of one broker and keeps what came back; ``comparing`` holds the two
accounts against each other; ``meant`` excuses what differs on purpose. Two Apache Kafkas must come out equal: only then
does a difference say something about ours.
"""
