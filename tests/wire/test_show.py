"""The generated code can be looked at: printed, and in tracebacks."""

from __future__ import annotations

import linecache
import traceback

import pytest

from kafkawire import codec
from kafkawire.__main__ import list_apis, main, show
from kafkawire.api import heartbeat
from kafkawire.keys import API
from tests.wire.classes import APIS


def test_source_of_every_api_and_version_is_python(capsys: pytest.CaptureFixture[str]) -> None:
    for api in APIS:
        for version in range(api.min_version, api.max_version + 1):
            compile(show(api.module, version), api.module, "exec")
    main(["show", "offset_commit", "8"])
    printed = capsys.readouterr().out
    assert printed.count("def decode(") == printed.count("def encode(") == 2
    assert "committed_leader_epoch" in printed


def test_list_names_every_api() -> None:
    lines = list_apis().splitlines()
    assert len(lines) == len(API)
    assert "OffsetCommit" in list_apis()


@pytest.mark.parametrize("wrong", [["show", "nothing"], ["show", "heartbeat", "99"], [], ["show"]])
def test_wrong_arguments_are_told(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(wrong)
    assert isinstance(caught.value.code, str)


def test_tracebacks_show_generated_lines() -> None:
    with pytest.raises(AttributeError) as caught:
        codec.encode(heartbeat.Request(group_id=None), 4)  # type: ignore[arg-type]
    text = "".join(traceback.format_exception(caught.value))
    assert "message.group_id.encode()" in text
    assert any(name.startswith("<kafkawire ") for name in linecache.cache)
