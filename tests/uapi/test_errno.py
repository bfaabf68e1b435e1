"""Error numbers, names, texts, and the exception classes chosen for them."""

from __future__ import annotations

import errno as host
import os
import pickle
import platform
import sys

import pytest

from simkernel.uapi import errno

NUMBERS = range(1, 200)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="compares with the numbers of a Linux host")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="compares with the texts of glibc")
@pytest.mark.parametrize("number", NUMBERS)
def test_texts_are_those_of_glibc(number):
    assert errno.strerror(number) == os.strerror(number)


@on_linux
@pytest.mark.parametrize("number", NUMBERS)
def test_the_exception_is_the_one_that_python_makes_on_linux(number):
    ours, theirs = errno.os_error(number), OSError(number, errno.strerror(number))
    assert type(ours) is type(theirs)
    assert str(ours) == str(theirs)


@on_linux
def test_names_are_those_of_the_host():
    for number, name in host.errorcode.items():
        assert getattr(errno, name) == number
        assert getattr(host, errno.error_name(number)) == number


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EAGAIN, BlockingIOError),
        (errno.EPERM, PermissionError),
        (errno.ENOENT, FileNotFoundError),
        (errno.EINTR, InterruptedError),
        (errno.ECONNREFUSED, ConnectionRefusedError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.ENOBUFS, OSError),
        # On macOS, 35 (here EDEADLK), 61 and 60 are EAGAIN, ECONNREFUSED and ETIMEDOUT.
        (errno.EDEADLK, OSError),
        (61, OSError),
        (60, OSError),
    ],
)
def test_the_exception_is_picked_by_linuxs_number(number, kind):
    error = errno.os_error(number)
    assert type(error) is kind
    assert (error.errno, error.strerror) == (number, errno.strerror(number))


def test_an_exception_can_be_rebuilt():
    error = errno.os_error(errno.ENOBUFS)
    for again in (type(error)(*error.args), pickle.loads(pickle.dumps(error))):
        assert (again.errno, str(again)) == (105, "[Errno 105] No buffer space available")


def test_a_text_of_ones_own():
    error = errno.os_error(errno.EINVAL, "no such mode")
    assert str(error) == "[Errno 22] no such mode"


@pytest.mark.parametrize(
    ("number", "name"),
    [(11, "EAGAIN"), (35, "EDEADLK"), (95, "EOPNOTSUPP"), (517, "EPROBE_DEFER"), (4000, "errno 4000")],
)
def test_names(number, name):
    assert errno.error_name(number) == name
