"""COMMANDS: the ``pykafkad`` console script."""
