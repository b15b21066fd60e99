"""What all tests share: Hypothesis without stopwatches, and ``FUZZ=n`` for n times as many examples (`make fuzz`)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no defect, and a test run must not depend on who else is busy.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

_SETTINGS = "_hypothesis_internal_use_settings"  # where Hypothesis keeps what @settings said


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    times = int(os.environ.get("FUZZ", "1"))
    if times == 1:
        return
    functions = {id(function): function for item in items if (function := _function(item)) is not None}
    for function in functions.values():
        if getattr(function, "is_hypothesis_test", False):
            chosen = getattr(function, _SETTINGS, None) or settings.default
            setattr(function, _SETTINGS, settings(chosen, max_examples=chosen.max_examples * times))


def _function(item: pytest.Item) -> Any:
    """What was decorated; items of one parametrised test share it."""
    function = getattr(item, "obj", None)
    return getattr(function, "__func__", function)
