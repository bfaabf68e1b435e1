"""syslog(2): reading the kernel log, and the privileges for it.

Cases that clear the log or consume records run in User-mode Linux, which has a separate log.
"""

from __future__ import annotations

import os
import re

from simkernel.uapi import syslog as s
from tests.conformance.case import case
from tests.conformance.cases.kmsg import KMSG, Kmsg
from tests.conformance.cases.modules import UML
from tests.conformance.log import Log
from tests.conformance.programs.interface import Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
TIME = re.compile(rb"\[ *\d+\.\d{6}\]")
BUFFER_SIZE = 1 << 18
READS = (s.SYSLOG_ACTION_READ, s.SYSLOG_ACTION_READ_ALL, s.SYSLOG_ACTION_READ_CLEAR)


def timeless(data: bytes) -> bytes:
    """Return lines with "[time]" in place of the 14 bytes of each timestamp."""
    return TIME.sub(b"[time]", data)


def begin(world: World, log: Log) -> tuple[Program, Kmsg]:
    """Return a program (a process that makes calls), and a `Kmsg` with which the program accesses /dev/kmsg.
    The program has read and cleared the whole log.
    """
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    kmsg.write(b"before\n")
    program.syslog(s.SYSLOG_ACTION_CLEAR)
    while program.syslog(s.SYSLOG_ACTION_SIZE_UNREAD):
        program.syslog(s.SYSLOG_ACTION_READ, BUFFER_SIZE)
    return program, kmsg


@case(privileged=True, marks=PROGRAMS)
def arguments(world: World, log: Log) -> None:
    """Unknown actions, negative sizes and invalid levels fail with EINVAL. A size of 0 reads nothing."""
    program = world.programs().start()
    for action in (-1, 11, 12, 2**31 - 1):
        log.call(f"action {action}", program.syslog, action, 10)
    for action in READS:
        for size in (-1, -(2**31), 0):
            log.call(f"{action} {size}", program.syslog, action, size)
    for level in (0, 9, -1):
        log.call(f"level {level}", program.syslog, s.SYSLOG_ACTION_CONSOLE_LEVEL, level)
    for action in (s.SYSLOG_ACTION_CLOSE, s.SYSLOG_ACTION_OPEN):
        for size in (0, -1, 10):
            log.call(f"{action} {size}", program.syslog, action, size)
    log.call("size of the buffer", program.syslog, s.SYSLOG_ACTION_SIZE_BUFFER)
    log.call("size of the buffer", program.syslog, s.SYSLOG_ACTION_SIZE_BUFFER, -1)


@case(privileged=True, marks=PROGRAMS)
def users(world: World, log: Log) -> None:
    """If dmesg_restrict is set, each action checks CAP_SYSLOG before anything else."""
    programs = world.programs()
    user = programs.start(1000, 1000)
    log.call("restricted", user.read_file, "/proc/sys/kernel/dmesg_restrict")
    for action in range(-1, 12):
        log.call(f"{action}", user.syslog, action, 10)
    log.call("/proc/kmsg", user.open, "/proc/kmsg", os.O_RDONLY)
    log.call("set", user.write_file, "/proc/sys/kernel/dmesg_restrict", b"0")


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def unrestricted(world: World, log: Log) -> None:
    """Without dmesg_restrict, any user can read the whole log, the buffer size and /dev/kmsg."""
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 1000)
    setting = "/proc/sys/kernel/dmesg_restrict"
    Kmsg(root, log).write(b"text\n")
    for text in (b"2", b"-1", b"", b"x", b"0x", b"0"):
        log.call(f"{text!r}", root.write_file, setting, text)
        log.call("now", root.read_file, setting)
    for action in range(-1, 12):
        if action not in (s.SYSLOG_ACTION_READ_ALL, s.SYSLOG_ACTION_SIZE_BUFFER):
            log.call(f"{action}", user.syslog, action, 0)
    for action in (s.SYSLOG_ACTION_READ_ALL, s.SYSLOG_ACTION_SIZE_BUFFER):
        log(f"{action}", bool(user.syslog(action, BUFFER_SIZE)))
    log.call("/dev/kmsg", user.open, KMSG, os.O_RDONLY)
    log.call("/proc/kmsg", user.open, "/proc/kmsg", os.O_RDONLY)
    log.call("back", root.write_file, setting, b"1\n")


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def everything(world: World, log: Log) -> None:
    """SYSLOG_ACTION_READ_ALL returns the records since the last clear. If they do not fit in the buffer, it
    returns only the newest ones. Each line has a prefix.
    """
    program, kmsg = begin(world, log)
    for text in (b"one\n", b"<3>two\nlines\n", b"\n", b"a\n\nb\n", b"\xff\1\\n", b"unfinished"):
        kmsg.write(text)
    whole = program.syslog(s.SYSLOG_ACTION_READ_ALL, BUFFER_SIZE)
    log("all", timeless(whole))
    for size in (1, 20, 23, 24, 100, len(whole) - 1, len(whole), len(whole) + 1):
        log(
            f"{size - len(whole) if size > 100 else size}",
            timeless(program.syslog(s.SYSLOG_ACTION_READ_ALL, size)),
        )
    log.call("unread", program.syslog, s.SYSLOG_ACTION_SIZE_UNREAD)
    log("read and clear", timeless(program.syslog(s.SYSLOG_ACTION_READ_CLEAR, 60)))
    log.call("all", program.syslog, s.SYSLOG_ACTION_READ_ALL, BUFFER_SIZE)
    log.call("unread", program.syslog, s.SYSLOG_ACTION_SIZE_UNREAD)
    kmsg.write(b"end\n")
    log("all", timeless(program.syslog(s.SYSLOG_ACTION_READ_ALL, BUFFER_SIZE)))
    log.call("clear", program.syslog, s.SYSLOG_ACTION_CLEAR, -1)
    log.call("none to clear", program.syslog, s.SYSLOG_ACTION_READ_CLEAR, 0)
    log.call("all", program.syslog, s.SYSLOG_ACTION_READ_ALL, BUFFER_SIZE)


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def taking(world: World, log: Log) -> None:
    """SYSLOG_ACTION_READ returns unread records, or a part of one record if the buffer is too small. Data
    that it has returned is no longer unread. Reads of /proc/kmsg continue at the same position.
    """
    program, kmsg = begin(world, log)
    for text in (b"one\n", b"two\nlines\n", b"three\n", b"four\n", b"five\n"):
        kmsg.write(text)
    log.call("unread", program.syslog, s.SYSLOG_ACTION_SIZE_UNREAD)
    for size in (4, 40, 24, 60):
        data = program.syslog(s.SYSLOG_ACTION_READ, size)
        log(f"read {size}", [len(data), timeless(data)])
        log.call("unread", program.syslog, s.SYSLOG_ACTION_SIZE_UNREAD)
    fd = program.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    log.call("poll", program.poll, [(fd, 0x3FFF)], 0)
    for size in (0, 3, 30, 100):
        data = program.read(fd, size)
        log(f"/proc/kmsg {size}", [len(data), timeless(data)])
    log.call("poll", program.poll, [(fd, 0x3FFF)], 0)
    for size in (0, 10):
        log.call(f"/proc/kmsg {size}", program.read, fd, size)
    log("all", timeless(program.syslog(s.SYSLOG_ACTION_READ_ALL, BUFFER_SIZE)))


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def waiting(world: World, log: Log) -> None:
    """SYSLOG_ACTION_READ blocks until a record exists. If two programs read, only one of them gets the
    record.
    """
    program, kmsg = begin(world, log)
    programs = [program.fork(), program.fork()]
    pending = [each.begin("syslog", s.SYSLOG_ACTION_READ, 1000) for each in programs]
    log("ended", [each.done() for each in pending])
    kmsg.write(b"unfinished")
    log("ended", [each.done() for each in pending])
    kmsg.write(b"end\n")
    log("ended", sum(each.done() for each in pending))
    kmsg.write(b"more\n")
    log("read", sorted(timeless(each.result()) for each in pending))


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def lines_that_do_not_fit(world: World, log: Log) -> None:
    """The text of a record, with a prefix for each line, has at most 2048 bytes. Lines that do not fit are
    omitted.
    """
    program, kmsg = begin(world, log)
    for text in (
        b"\n" * 1000,
        b"abc\n" * 240,
        (b"x" * 60 + b"\n") * 16,
        b"y\n" * 80 + b"z" * 800,
        b"x" * 1023,
    ):
        kmsg.write(text)
        kmsg.write(b"\n")
        log.call("unread", program.syslog, s.SYSLOG_ACTION_SIZE_UNREAD)
        data = program.syslog(s.SYSLOG_ACTION_READ_CLEAR, BUFFER_SIZE)
        log("read", [len(data), data.count(b"\n"), timeless(data)[-60:]])
        while program.syslog(s.SYSLOG_ACTION_SIZE_UNREAD):
            log("taken", len(program.syslog(s.SYSLOG_ACTION_READ, 1500)))


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def console(world: World, log: Log) -> None:
    """CONSOLE_OFF sets the console level to its minimum, and CONSOLE_ON restores the saved level.
    CONSOLE_LEVEL discards the saved level.
    """
    program = world.programs().start()
    off, on, level = s.SYSLOG_ACTION_CONSOLE_OFF, s.SYSLOG_ACTION_CONSOLE_ON, s.SYSLOG_ACTION_CONSOLE_LEVEL
    steps = (
        (level, 5),
        (off, 0),
        (off, 0),
        (on, 0),
        (on, 0),
        (off, 0),
        (level, 8),
        (on, 0),
        (level, 1),
        (level, 9),
    )
    for action, size in steps:
        log.call(f"{action} {size}", program.syslog, action, size)
        log.call("now", program.read_file, "/proc/sys/kernel/printk")
    for text in (b"4 4 3 7", b"1"):
        log.call(f"{text!r}", program.write_file, "/proc/sys/kernel/printk", text)
        log.call("now", program.read_file, "/proc/sys/kernel/printk")
        for action, size in ((level, 1), (off, 0), (on, 0)):
            log.call(f"{action} {size}", program.syslog, action, size)
            log.call("now", program.read_file, "/proc/sys/kernel/printk")
    log.call("back", program.write_file, "/proc/sys/kernel/printk", b"1 4 1 7")
