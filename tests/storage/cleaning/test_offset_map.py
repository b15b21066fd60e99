"""The key map: what it was told last, in the memory that it was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykafkad.storage.cleaning.offset_map import ENTRY_BYTES, OffsetMap


@given(st.lists(st.binary(max_size=3), max_size=60), st.integers(1, 64), st.floats(0.1, 1.0))
def test_it_agrees_with_a_dict_until_it_is_full(keys: list[bytes], slots: int, load: float) -> None:
    if slots * load < 1:
        return
    tested, told = OffsetMap(slots * ENTRY_BYTES, load, 1 << 40), dict[bytes, int]()
    for offset, key in enumerate(keys):
        taken = tested.put(key, offset)
        assert taken == (len(told) < int(slots * load))
        if not taken:
            break
        told[key] = offset
        assert tested.latest == offset
    assert len(tested) == len(told)
    if len(told) < slots:  # a table without any empty slot would be searched for ever
        assert {key: tested.get(key) for key in [*keys, b"other"]} == {
            key: told.get(key, -1) for key in [*keys, b"other"]
        }


def test_it_takes_no_more_memory_than_it_can_use() -> None:
    small = OffsetMap(128 << 20, 0.9, expected=100)
    assert small.capacity >= 100 and len(small._words) * 8 <= 113 * ENTRY_BYTES
    assert len(OffsetMap(10_000, 0.9, expected=1 << 40)._words) * 8 <= 10_000


def test_a_map_without_room_for_a_key_says_which_setting_is_at_fault() -> None:
    with pytest.raises(ValueError, match=r"log\.cleaner\.dedupe\.buffer\.size"):
        OffsetMap(ENTRY_BYTES, 0.9, 100)
