"""Each phase against each family of commands, as transcripts in tests/scripts/groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.group_script import GroupScript
from tests.kit.scripts import play, scripts


@pytest.mark.parametrize("path", scripts("groups"), ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    play(path, GroupScript())
