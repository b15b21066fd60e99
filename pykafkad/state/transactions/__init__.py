"""Transactions: what a coordinator knows of each transactional id, and what it decides."""
