"""Each phase against each command, as transcripts in tests/scripts/transactions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.scripts import play, scripts
from tests.kit.transaction_script import TransactionScript


@pytest.mark.parametrize("path", scripts("transactions"), ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    play(path, TransactionScript())
