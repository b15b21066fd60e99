"""Log compaction: of each key only the last record stays. What to clean (``choice``), by which rules (``filtering``,
``transactions``, ``offset_map``), and the work itself (``clean``), which runs in a process of its own (``worker``).
"""
