"""The status word of wait(): children that exit, and children that a signal ends or stops."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi import wait

CHECKS = ("WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WIFCONTINUED", "WCOREDUMP")
PARTS = ("WEXITSTATUS", "WTERMSIG", "WSTOPSIG")


@pytest.mark.skipif(sys.platform != "linux", reason="compares with the macros of a Linux host")
@given(st.integers(0, 0xFFFF))
def test_a_wait_status_decodes_as_on_linux(status):
    for name in CHECKS + PARTS:
        assert getattr(wait, name)(status) == getattr(os, name)(status), name


@given(st.integers(0, 255))
def test_a_child_that_exits(code):
    status = wait.W_EXITCODE(code, 0)
    assert wait.WIFEXITED(status)
    assert wait.WEXITSTATUS(status) == code
    assert not wait.WIFSIGNALED(status)
    assert not wait.WIFSTOPPED(status)


@given(st.integers(1, 64))
def test_a_child_that_a_signal_ends_or_stops(signal):
    ended, stopped = wait.W_EXITCODE(0, signal), wait.W_STOPCODE(signal)
    assert wait.WIFSIGNALED(ended)
    assert wait.WTERMSIG(ended) == signal
    assert not wait.WIFEXITED(ended)
    assert wait.WIFSTOPPED(stopped)
    assert wait.WSTOPSIG(stopped) == signal
    assert not wait.WIFSIGNALED(stopped)
