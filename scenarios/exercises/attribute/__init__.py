"""Add sysfs attributes to a lamp, which show and set its brightness.

Your file is a kernel module.  It already creates the device /sys/class/lamp/lamp0 with two files:

    brightness   a read returns the brightness, such as "40" and a newline; a write sets it
    changes      a read returns the number of accepted writes, such as "3" and a newline

Write `show_brightness`, `set_brightness` and `show_changes`.

    `dev_get_drvdata(device)` returns the lamp of a device.
    `show_...(device)` returns the text of the file.
    `set_brightness(device, data)` gets the bytes that a program has written.

A program writes a decimal number from 0 to 100, with or without a newline.  Refuse any other bytes with
`raise os_error(EINVAL)`: the writing program then gets EINVAL.  A refused write changes nothing.

Several programs write at the same time, on several CPUs.  Between two statements of your code, another
program can run the same code.  A spinlock prevents this: `with lamp.lock:`.
"""

from __future__ import annotations

from typing import Any

from simkernel.testing.exercise import Wrong, exercise

LAMP = "/sys/class/lamp/lamp0/"
GOOD = {b"40\n": b"40\n", b"0": b"0\n", b"100\n": b"100\n", b"7": b"7\n"}
BAD = (b"101\n", b"-1\n", b"bright\n", b"\n", b"1e1\n", b"4 0\n", b"1_0\n", b"0x10\n", b"\xff\n")
EINVAL = 22
WRITES = 2


@exercise(module="attribute")
async def judge(app: Any, sim: Any, student: None) -> None:
    """Judge the student's module: run two programs that write at the same time, then write valid and invalid
    values.
    """
    await expect(app, "brightness", b"0\n", "after the module is loaded")
    for value in (b"10", b"20"):
        await app.spawn(writer, value)
    await sim.quiet()
    accepted = 2 * WRITES
    await expect(app, "changes", b"%d\n" % accepted, f"after two programs have written {WRITES} times each")
    for good, shown in GOOD.items():
        if error := await write(app, good):
            raise Wrong(f"a write of {good!r} fails with errno {error}: accept a brightness from 0 to 100")
        accepted += 1
        await expect(app, "brightness", shown, f"after a write of {good!r}")
    for bad in BAD:
        error = await write(app, bad)
        if error != EINVAL:
            result = f"fails with errno {error}" if error else "is accepted"
            raise Wrong(f"a write of {bad!r} {result}: refuse it with EINVAL (22)")
        await expect(app, "brightness", shown, f"after {good!r} and a refused write of {bad!r}")
    await expect(app, "changes", b"%d\n" % accepted, f"after {accepted} accepted writes and refused ones")
    await app.rmmod("attribute")


async def writer(app: Any, value: bytes) -> None:
    for _ in range(WRITES):
        await write(app, value)


async def write(app: Any, data: bytes) -> int:
    """Write to the file `brightness`.  Return the errno, or 0 on success."""
    fd = await app.open(f"{LAMP}brightness", 1)
    try:
        await app.write(fd, data)
    except OSError as error:
        return error.errno or 0
    finally:
        await app.close(fd)
    return 0


async def expect(app: Any, name: str, wanted: bytes, when: str) -> None:
    if not await app.access(LAMP + name, 0):
        raise Wrong(f"there is no file {LAMP}{name}: init must make it")
    shown = await app.read_file(LAMP + name)
    if shown != wanted:
        raise Wrong(f"{name} shows {shown!r} {when}: it must show {wanted!r}")
