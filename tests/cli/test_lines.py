"""Lines that a run prints are whole, and repeated lines are folded into one line with their count."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from simkernel.cli.lines import MAX_PERIOD, Folding, Lines
from tests.conftest import CommandLine

COUNT = re.compile(r"\[last (?:line|(\d+) lines) repeated (?:once|(\d+) times)\]")


def folded(lines: Iterable[str]) -> list[str]:
    file = io.StringIO()
    folding = Folding(file.write)
    for line in lines:
        folding.line(line)
    folding.flush()
    return file.getvalue().splitlines()


def unfolded(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if count := COUNT.fullmatch(line):
            found += found[-int(count[1] or 1) :] * int(count[2] or 1)
        else:
            found.append(line)
    return found


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_a_folded_text_can_be_unfolded(lines: list[str]) -> None:
    assert unfolded(folded(lines)) == lines


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=MAX_PERIOD, unique=True), st.integers(3, 50)
)
def test_lines_that_repeat_together_are_written_once(lines: list[str], times: int) -> None:
    assert folded(lines * times)[: len(lines)] == lines
    assert len(folded(lines * times)) == len(lines) + 1


def test_counts_are_written_in_words() -> None:
    assert folded("aabbbcdcdcd") == [
        "a", "[last line repeated once]", "b", "[last line repeated 2 times]",
        "c", "d", "[last 2 lines repeated 2 times]",
    ]  # fmt: skip


def test_log_and_system_calls_do_not_break_each_others_lines() -> None:
    both = io.StringIO()
    folding = Folding(both.write)
    calls, log = Lines(folding), Lines(folding)
    calls.write("init_module(")
    log.write("[    0.000001] hello\n")
    calls.write(") = 0\nexit(")
    assert both.getvalue() == "[    0.000001] hello\ninit_module() = 0\n"


def test_talk_folds_repetitions_and_prints_text_as_strings(simkernel: CommandLine) -> None:
    printed = simkernel("run", "talk", "--strace").out
    assert "[last line repeated 255 times]\n" in printed
    assert 'sendto(3, "is anybody there?", 17, 0,' in printed
    assert "nlmsg_len" not in printed
