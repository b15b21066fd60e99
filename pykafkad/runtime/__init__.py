"""DRIVES: asyncio around the machines: partitions, shards, long polls, admin, housekeeping."""
