"""LISTENS: sockets, frames, dispatch; knows no API."""
