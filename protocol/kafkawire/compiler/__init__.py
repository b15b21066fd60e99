"""Writes a decoder and an encoder for one (class, version), as source that is executed once and can be printed."""
