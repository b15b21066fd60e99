"""DECIDES: pure machines. No await, no clock, no randomness, no files."""
