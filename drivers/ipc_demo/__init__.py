"""ipc_demo: a driver that offers the same small services over several interfaces, such as netlink and ioctl,
to compare the interfaces.

The module has no hardware.  It answers questions, sends events and produces frames.  Each of these is
available over several interfaces: netlink, ioctl, read and write, mapped memory, sysfs, eventfd, SIGIO.

    question.py    the answer to a question: its bytes, inverted
    event.py       a timer that sends events to all listeners
    frame.py       frames of any size, with the frame number in every byte
    netlink.py     all three over generic netlink; ipc_demo.yaml specifies the family

simkernel/uapi/ipc_demo.py has the ioctl numbers and structures.
"""

from __future__ import annotations

from contextlib import ExitStack

from simkernel.driverapi.device import (
    NodeAccess,
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import (
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.module import Module, ThisModule

from . import event, frame, netlink, question

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="One service over every interface between program and driver, to compare them",
    aliases=("net-pf-16-proto-16-family-ipc_demo",),
)


def init(this: ThisModule) -> ExitStack:
    """Register the nodes and the netlink family. Return an ExitStack that unregisters them in reverse
    order.
    """
    events, frames = event.Events(this), frame.Frames()
    nodes = (
        ("question", question.OPERATIONS, None, (question.attribute(),)),
        ("event", event.OPERATIONS, events, (events.attribute(),)),
        ("frame", frame.OPERATIONS, frames, ()),
    )
    with ExitStack() as undo:
        kind = class_register(this, "ipc_demo", devnode=lambda device: NodeAccess(mode=0o666))
        undo.callback(class_unregister, kind)
        major, first = alloc_chrdev_region(this, 0, len(nodes), "ipc_demo")
        undo.callback(unregister_chrdev_region, this, (major, first), len(nodes))
        for minor, (name, operations, data, attributes) in enumerate(nodes, first):
            number, node = (major, minor), f"ipc_demo/{name}"
            cdev = cdev_init(this, operations, data)
            cdev_add(cdev, number)
            undo.callback(cdev_del, cdev)
            device = device_create(this, kind, None, name, node=node, number=number, attributes=attributes)
            undo.callback(device_unregister, device)
        undo.callback(events.stop)
        netlink.register(this, events, frames, undo)
        return undo.pop_all()


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Unregister the netlink family and the nodes."""
    undo.close()
