"""SHOWS: HTTP with metrics and health."""
