"""kill -9 of a broker under load, again and again, on a real disk: whatever it had acknowledged must be there.

``python -m conformance.killing --rounds 200`` (``make kill``). Each round lets load run for a moment, kills the
process, starts it, sometimes kills it again while it recovers, and holds what is stored against what clients were told.
Segments are tiny and every timer is short, so that rolls, retention, compaction and checkpoints happen all the time.

What a power cut does on top, to bytes that were never synced, can't be had on a real disk without a machine to switch
off; the memory disk of ``tests/kit/disk.py`` does that to the same code.
"""
