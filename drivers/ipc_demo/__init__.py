"""ipc_demo: one small service that a program can reach over every interface between a program and a driver.

It drives no hardware.  It answers questions, begins events and has frames, and each of them can be had over
netlink, by ioctl, by read and write, through mapped memory, from a file below /sys, and of events
also by an eventfd or a signal: so that the interfaces can be compared, and nothing else.

    question.py    a question is answered with the same bytes, each bit of them turned over
    event.py       a timer begins events; whoever listens at whatever door is told
    frame.py       frames of any size, with their number in every byte
    netlink.py     all three over generic netlink; ipc_demo.yaml is the family
simkernel/uapi/ipc_demo.py has the numbers and structures.
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
    FileOperations,
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.sysfs import DeviceAttribute

from . import event, frame, netlink, question

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="One service behind every door between program and driver, to compare them",
    aliases=("net-pf-16-proto-16-family-ipc_demo",),
)

ANYBODY = NodeAccess(mode=0o666)


def init(this: ThisModule) -> ExitStack:
    """Open every door; what is returned closes them, the last first."""
    questions, events, frames = question.Questions(this), event.Events(this), frame.Frames(this)
    nodes: tuple[tuple[str, FileOperations, object, tuple[DeviceAttribute, ...]], ...] = (
        ("question", question.OPERATIONS, questions, (questions.attribute(),)),
        ("event", event.OPERATIONS, events, (events.attribute(),)),
        ("frame", frame.OPERATIONS, frames, ()),
    )
    with ExitStack() as undo:
        kind = class_register(this, "ipc_demo", devnode=lambda device: ANYBODY)
        undo.callback(class_unregister, kind)
        major, first = alloc_chrdev_region(this, 0, len(nodes), "ipc_demo")
        undo.callback(unregister_chrdev_region, this, (major, first), len(nodes))
        for minor, (name, operations, data, attributes) in enumerate(nodes, first):
            cdev = cdev_init(this, operations, data)
            cdev_add(cdev, (major, minor))
            undo.callback(cdev_del, cdev)
            device = device_create(
                this, kind, None, name, node=f"ipc_demo/{name}", number=(major, minor), attributes=attributes
            )
            undo.callback(device_unregister, device)
        undo.callback(events.stop)
        netlink.register(this, questions, events, frames, undo)
        return undo.pop_all()


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Shut every door."""
    undo.close()
