"""modprobe and rmmod as calls of a program: the parameters of a module, and the error for a module in use."""

from __future__ import annotations

import pytest

from simkernel import Machine
from simkernel.uapi.errno import EBUSY


def test_parameters_belong_to_the_module_not_to_its_dependencies() -> None:
    with Machine(udev=False) as machine:
        machine.blocking(uid=0).modprobe("camera", buffers=8)
        assert not [line for line in machine.log.lines() if "unknown parameter" in line]


def test_rmmod_of_a_used_module_names_its_users() -> None:
    with Machine(udev=False) as machine:
        root = machine.blocking(uid=0)
        root.modprobe("camera")
        with pytest.raises(OSError, match="Module devclass is in use by: camera") as raised:
            root.rmmod("devclass")
        assert raised.value.errno == EBUSY
        sock = root.socket(proto=17)
        with pytest.raises(OSError, match=r"Module hello is in use$"):
            root.rmmod("hello")
        sock.close()
        root.rmmod("hello")
