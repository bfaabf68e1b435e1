"""A system call that is not modelled: ENOSYS as in a kernel built without it, or an exception for tests."""

from __future__ import annotations

import pytest

from simkernel import Machine, NotModelled
from simkernel.uapi.errno import ENOSYS


def test_it_says_enosys_and_the_log_says_why() -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        for _ in range(2):
            with pytest.raises(OSError) as caught:
                process.run(process.app.call("iopl", 3))
            assert caught.value.errno == ENOSYS
        (line,) = machine.log.lines()  # the log has it once
        assert "the system call iopl is not modelled" in line


def test_in_a_world_for_tests_it_raises() -> None:
    with Machine(udev=False, unmodelled="raise") as machine:
        process = machine.blocking()
        with pytest.raises(NotModelled, match="iopl"):
            process.run(process.app.call("iopl", 3))
