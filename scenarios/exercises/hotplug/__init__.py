"""Keep a table of the mice that are plugged in, as a hot-plug daemon does.

`watch(app, table)` is called once, and must not return.  `table` is a set, empty at first.  Keep the names
of all plugged-in mice in it, such as "mouse0".

    await app.listdir("/sys/class/mouse")   returns the names of the mice that are plugged in now
    monitor = await app.uevents()           subscribes to the kernel's uevents
    async for event in monitor:             waits for the next uevent
        event.action                        is "add", "remove" or another word
        event.devpath                       is the device's path; its last part is the name
        event.variables["SUBSYSTEM"]        is "mouse" for the uevents of mice

Mice are plugged in and unplugged at any time.  When no more uevents come, the table must contain exactly
the mice that are plugged in.
"""

from typing import Any

from simkernel.hardware import Mouse
from simkernel.testing.exercise import Wrong, exercise
from simkernel.testing.situations import listed_before_subscribed
from simkernel.uapi.wait import WNOHANG


@exercise(calls={"watch": "app, table"}, devices=("mouse", "mouse"))
async def judge(app: Any, sim: Any, student: Any) -> None:
    """Judge the student's program. Unplug a mouse right after the program has listed the mice. Later plug in
    a second mouse. At moments that vary from run to run, unplug the second mouse and plug in a third one.
    """
    table: set[str] = set()
    listed_before_subscribed(sim.machine, "watch", change=lambda: sim.unplug("mouse0"))
    pid = await app.spawn(student.watch, table)
    await sim.quiet()
    compare(table, set(sim.truth("mouse")), "mouse0 is unplugged while watch begins")
    second = Mouse()
    sim.plug(second)
    sim.any_step(sim.unplug, second)
    sim.any_step(sim.plug, Mouse())
    await sim.quiet()
    if await app.waitpid(pid, WNOHANG) != (0, 0):
        raise Wrong("the function watch returns: it must never stop waiting for events")
    compare(table, set(sim.truth("mouse")), "later a mouse comes, and one comes and goes")


def compare(table: set[str], truth: set[str], when: str) -> None:
    if extra := sorted(table - truth):
        raise Wrong(f"the table has {extra}, but the mice are {sorted(truth)}: {when}")
    if missing := sorted(truth - table):
        raise Wrong(f"the table lacks {missing}, it has {sorted(table)}: {when}")
