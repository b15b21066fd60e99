"""Consumer groups as a pure machine over the records of ``__consumer_offsets``."""
