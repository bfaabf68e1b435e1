"""Signals: names and default actions."""

from __future__ import annotations

import signal as host
import sys

import pytest

from simkernel.uapi import signal
from simkernel.uapi.signal import Disposition, default_disposition, signal_name, valid_signal


@pytest.mark.skipif(sys.platform != "linux", reason="compares with the numbers of a Linux host")
@pytest.mark.parametrize("number", range(1, signal.SIGRTMIN))
def test_names_are_those_of_the_host(number):
    assert host.Signals(number).name == signal_name(number)


@pytest.mark.parametrize(
    ("disposition", "numbers"),
    [
        (Disposition.CORE, {3, 4, 5, 6, 7, 8, 11, 24, 25, 31}),
        (Disposition.IGNORE, {17, 23, 28}),
        (Disposition.CONTINUE, {18}),
        (Disposition.STOP, {19, 20, 21, 22}),
    ],
)
def test_default_dispositions_are_those_of_the_manual(disposition, numbers):
    assert {n for n in range(1, 65) if default_disposition(n) is disposition} == numbers


def test_all_others_terminate():
    assert default_disposition(signal.SIGKILL) is Disposition.TERMINATE
    assert default_disposition(signal.SIGRTMAX) is Disposition.TERMINATE


def test_which_numbers_are_signals():
    assert [number for number in range(-1, 70) if valid_signal(number)] == list(range(1, 65))


def test_names_beyond_the_first_31():
    assert signal_name(32) == "SIGRT_0"
    assert signal_name(64) == "SIGRT_32"
    assert signal_name(65) == "signal 65"
