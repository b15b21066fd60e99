"""One file per API, named like the API: ``Request``, ``Response`` and the structs inside them."""
