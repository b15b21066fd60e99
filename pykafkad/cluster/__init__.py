"""The cluster store (keys, revision, compare-and-set, watch, leases) and the immutable picture of it."""
