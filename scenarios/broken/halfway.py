"""halfway: a module whose init fails in step 3, and then undoes steps 2 and 1."""

from __future__ import annotations

from contextlib import ExitStack

from simkernel.driverapi.device import class_register, class_unregister
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netlink import netlink_kernel_create, netlink_kernel_release
from simkernel.driverapi.printk import pr_info
from simkernel.uapi.errno import EIO, os_error

PROTOCOL = 20

MODULE = Module(license="GPL", description="Fails half way through its init")


def init(this: ThisModule) -> None:
    """Do two steps, fail in the third with EIO, and undo the first two."""
    with ExitStack() as undo:
        kind = class_register(this, "halfway")
        undo.callback(class_unregister, kind)
        undo.callback(pr_info, this, "step 1 undone: a class")
        pr_info(this, "step 1 done: a class")

        sock = netlink_kernel_create(this, PROTOCOL, lambda skb: None)
        undo.callback(netlink_kernel_release, sock)
        undo.callback(pr_info, this, "step 2 undone: a netlink protocol")
        pr_info(this, "step 2 done: a netlink protocol")

        pr_info(this, "step 3 fails")
        raise os_error(EIO)
