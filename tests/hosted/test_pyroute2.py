"""Unmodified pyroute2 runs on the machine. The program passes it no special socket or event loop."""

from __future__ import annotations

import sys

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.hosted import hosted

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)
pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")


def test_pyroute2_lists_links_and_families() -> None:
    with Machine(seed=7) as machine:
        machine.plug(Camera())
        machine.run(until=millis(100))
        with hosted(machine, "pyroute2", uid=1000):
            from pyroute2 import IPRoute
            from pyroute2.netlink import genlmsg
            from pyroute2.netlink.generic import GenericNetlinkSocket

            with IPRoute() as route:
                assert [link.get("ifname") for link in route.get_links()] == ["lo"]
            with GenericNetlinkSocket() as generic:
                generic.bind("camera", genlmsg)
                assert generic.prid == machine.blocking().genetlink("camera").family.id
