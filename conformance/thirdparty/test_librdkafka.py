"""What the runner's output comes to: a pass must be a pass."""

from __future__ import annotations

from conformance.thirdparty.librdkafka import judge

TABLE = """#=====#
| <MAIN>                                   |     PASSED |   9.0s |
| 0001_multiobj                            |     {state} |   1.500s |{words}
#=====#
"""


def one(text: str, code: int | None) -> tuple[str, str]:
    outcome = judge(text, ["0001_multiobj"], code, 9.0)["0001_multiobj"]
    return outcome.state, outcome.detail


def test_the_table_decides() -> None:
    assert one(TABLE.format(state="PASSED", words=""), 0) == ("passed", "")
    assert one(TABLE.format(state="SKIPPED", words=" no TLS"), 0) == ("skipped", "no TLS")
    assert one(TABLE.format(state="FAILED", words=" main:1: bad"), -6) == ("failed", "main:1: bad")
    late = " Test 0001_multiobj timed out (timeout set to 30 seconds)"
    assert one(TABLE.format(state="FAILED", words=late), -6) == ("timeout", late.strip())


def test_a_failure_is_told_in_the_tests_own_words() -> None:
    said = '### Test "0001_multiobj (part:7)" failed at 0001.c:9:f() at noon: ###\nexpected 1, got 2\n'
    assert one(said + TABLE.format(state="FAILED", words=" cut sho"), -6) == ("failed", "expected 1, got 2")


def test_a_pass_needs_a_runner_that_ended_well() -> None:
    table = TABLE.format(state="PASSED", words="")
    assert one(table + "4 thread(s) still active", -6)[0] == "failed"
    assert one(table, None)[0] == "timeout"


def test_without_a_table_what_was_said_last_counts() -> None:
    running = "[0001_multiobj / 0.1s] ===== Running test 0001_multiobj =====\n"
    assert one(running, None) == ("timeout", "was running when time was up")
    assert one(running, -11)[0] == "failed"
    assert one("", None) == ("timeout", "not reached")


def test_a_bad_end_is_blamed_on_the_test_that_failed_not_on_those_that_passed_beside_it() -> None:
    text = "===== Test 0001_multiobj PASSED =====\n" + '### Test "0001_other" failed at 1.c:9:f() at noon: ###\nbad\n'
    both = judge(text, ["0001_multiobj", "0001_other"], -6, 9.0)
    assert [outcome.state for outcome in both.values()] == ["passed", "failed"]
