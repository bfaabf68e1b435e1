"""Rows 3 and 4 of the benchmark: clients that encode a request and decode every attribute of the reply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simkernel.application.app import App
from simkernel.application.genetlink import GenetlinkClient
from simkernel.blocking.loop import event_loop
from simkernel.machine import Machine
from simkernel.tools.bench.anchors import import_pyroute2, real_socket
from simkernel.tools.bench.round_trips import FAMILY
from simkernel.tools.bench.stopwatch import Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.genetlink import CTRL_CMD_GETFAMILY, GENL_ID_CTRL
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_REQUEST
from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM


async def ask(app: App, client: GenetlinkClient, iterations: int) -> None:
    """Ask nlctrl repeatedly for the description of its own family."""
    for _ in range(iterations):
        await client.do("getfamily", family_name=FAMILY)


@contextmanager
def client() -> Iterator[Work]:
    """Benchmark: requests by a simulated program that uses simkernel's `GenetlinkClient`."""
    with Machine(udev=False) as machine:
        worker = Worker(machine)
        nlctrl = worker.do(lambda app: app.genetlink(FAMILY))
        yield Work(lambda iterations: worker.do(ask, nlctrl, iterations))


@contextmanager
def real_pyroute2() -> Iterator[Work]:
    """Benchmark: requests by pyroute2 on the real kernel."""
    pyroute2 = import_pyroute2()
    real_socket(NETLINK_GENERIC).close()
    with pyroute2.GenericNetlinkSocket() as generic:
        yield _asking(generic)


@contextmanager
def simulated_pyroute2() -> Iterator[Work]:
    """Benchmark: requests by pyroute2 on a simulated socket and a simulated event loop."""
    pyroute2 = import_pyroute2()
    with Machine(udev=False) as machine, machine.blocking() as process:
        sock = process.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC)
        loop = event_loop(machine)
        with pyroute2.GenericNetlinkSocket(use_socket=sock, use_event_loop=loop) as generic:
            yield _asking(generic)


def _asking(generic: Any) -> Work:
    """Return work to be timed: ask nlctrl for its own family, and read every attribute, because pyroute2
    decodes attributes on access.
    """
    from pyroute2.netlink import ctrlmsg

    generic.bind(FAMILY, ctrlmsg, pid=0)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            request = ctrlmsg()
            request["cmd"] = CTRL_CMD_GETFAMILY
            request["version"] = 1
            request["attrs"] = [("CTRL_ATTR_FAMILY_NAME", FAMILY)]
            for answer in generic.nlm_request(request, GENL_ID_CTRL, NLM_F_REQUEST):
                read_attributes(answer["attrs"])

    return Work(run)


def read_attributes(attributes: Any) -> None:
    """Read every attribute of a pyroute2 message, including nested ones."""
    for _, value in attributes:
        for inside in value if isinstance(value, list) else [value]:
            if isinstance(inside, dict):
                read_attributes(inside["attrs"])
