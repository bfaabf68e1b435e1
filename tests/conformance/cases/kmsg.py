"""/dev/kmsg: how writes become records, and how records are read.

The log belongs to the whole kernel, so each case reads back only what it has written since it opened
`Kmsg`. Cases that clear or fill the log, or that depend on other writers, run in User-mode Linux.
"""

from __future__ import annotations

import os
import re
import select
from typing import Any

from tests.conformance.case import case
from tests.conformance.cases.modules import UML
from tests.conformance.log import Log, error_name
from tests.conformance.programs.interface import Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
KMSG = "/dev/kmsg"
EVENTS = 0x3FFF
BUFFER_SIZE = 8192
KERNEL = 7
"""Largest number in the prefix of a record of facility 0 (kernel messages): facility * 8 + level."""
RECORD = re.compile(rb"(\d+),(\d+),(\d+),(.);(.*)", re.DOTALL)


class Kmsg:
    """A reader that starts at the end of the log. Each write uses a newly opened file, because the kernel
    limits the rate of each open file.
    """

    def __init__(self, program: Program, log: Log) -> None:
        self.program = program
        self.log = log
        self.fd = program.open(KMSG, os.O_RDONLY | os.O_NONBLOCK)
        self.to_end()
        self._first: int | None = None

    def to_end(self) -> None:
        self.program.lseek(self.fd, 0, os.SEEK_END)

    def write(self, data: bytes) -> int | str:
        """Write through a newly opened file."""
        fd = self.program.open(KMSG, os.O_WRONLY)
        try:
            written: int = self.program.write(fd, data)
            return written
        except OSError as error:
            return error_name(error)
        finally:
            self.program.close(fd)

    def shown(self, data: bytes) -> Any:
        """Return prefix, flag and text of a record. A long text is shown as its first 20 bytes, its last 20
        bytes and its length.
        """
        found = RECORD.fullmatch(data)
        if found is None:
            return data
        prefix, _, _, flag, text = found.groups()
        if len(text) > 100:
            text = text[:20] + b"..." + text[-20:] + b" %d" % len(text)
        return [int(prefix), flag.decode(), text]

    def records(self) -> list[Any]:
        """Read all available records, without those that the kernel itself has written."""
        found: list[Any] = []
        while True:
            try:
                record = self.shown(self.program.read(self.fd, BUFFER_SIZE))
                if not isinstance(record, list) or record[0] > KERNEL:
                    found.append(record)
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    return found
                found.append(error_name(error))

    def try_each(self, *texts: bytes) -> None:
        """Write each text. Log the result of the write and the records that can then be read."""
        for data in texts:
            label = f"{data[:24]!r} {len(data)}"
            self.log(label, [self.write(data), self.records()])


@case(privileged=True, marks=PROGRAMS)
def lines(world: World, log: Log) -> None:
    """Each write creates one record, even if the text has several lines. The final newline completes the
    record.
    """
    kmsg = Kmsg(world.programs().start(), log)
    kmsg.try_each(b"one\n", b"a\nb\n", b"a\n\nb\n", b"\n", b"\n\n", b"\n\n\n", b"r\r\n", b"a\rb\n")


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def without_a_newline(world: World, log: Log) -> None:
    """A text without a newline becomes readable when any writer writes the next record."""
    kmsg = Kmsg(world.programs().start(), log)
    kmsg.try_each(b"unfinished", b"next\n", b"one", b"two", b"three\n", b"", b"end\n", b"a\nb", b"end\n")
    kmsg.try_each(b"<15", b"\n", b"<6>", b"<6>\n", b"<6\0>x\n", b"a\0b\n", b"\0", b"\0\n", b"end\n")
    log("poll", kmsg.program.poll([(kmsg.fd, EVENTS)], 0))
    kmsg.write(b"unfinished")
    log("poll", kmsg.program.poll([(kmsg.fd, EVENTS)], 0))
    kmsg.to_end()
    kmsg.write(b"\n")
    log("after the end", kmsg.records())


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def sizes(world: World, log: Log) -> None:
    """A write accepts up to 1024 bytes and keeps 1023, including the newline."""
    kmsg = Kmsg(world.programs().start(), log)
    for size in (1021, 1022, 1023):
        kmsg.try_each(b"x" * size + b"\n")
    kmsg.try_each(b"y" * 1023, b"z" * 1024, b"x" * 1025, b"x" * 1024 + b"\n", b"end\n")
    kmsg.try_each(b"<6>" + b"p" * 1020 + b"\n", b"<6>" + b"p" * 1021, b"<6>" + b"p" * 1022, b"end\n")


@case(privileged=True, marks=PROGRAMS)
def prefixes(world: World, log: Log) -> None:
    """A prefix `<N>` sets level and facility from a 32-bit number. Programs cannot use facility 0 (kernel
    messages).
    """
    kmsg = Kmsg(world.programs().start(), log)
    numbers = (
        "0",
        "7",
        "8",
        "14",
        "15",
        "16",
        "2047",
        "2048",
        "2055",
        "010",
        "0x10",
        "-1",
        "+1",
        " 1",
        "1 ",
        "",
    )
    numbers += (
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "18446744073709551623",
        "9" * 23,
        "1" * 200,
    )
    kmsg.try_each(*(f"<{number}>x\n".encode() for number in numbers))
    kmsg.try_each(b"<15x>y\n", b"<6>\n", b"<6><7>x\n", b" <6>x\n", b"<6>\xff\n", b"<\xb2>x\n")


@case(privileged=True, marks=PROGRAMS)
def escapes(world: World, log: Log) -> None:
    r"""Unprintable bytes and backslashes are read as \xNN."""
    kmsg = Kmsg(world.programs().start(), log)
    kmsg.try_each(*(bytes(range(start, start + 32)) + b"\n" for start in range(1, 225, 32)))
    kmsg.try_each(b"\xff\xc3\xa4\n", b"\x01c more\n", b"\x016 text\n", b"%s%d%n\n")


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def escapes_that_do_not_fit(world: World, log: Log) -> None:
    """A record is at most 2048 bytes long when it is read."""
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    for count in (480, 512, 1000):
        for tail in (b"", b"abc"):
            kmsg.write(b"<6>" + b"\1" * count + tail + b"\n")
            data = program.read(kmsg.fd, BUFFER_SIZE)
            log(f"{count} {len(tail)}", [len(data) == 2048, data[-1:]])


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def reading(world: World, log: Log) -> None:
    """Each read returns one record. A read with a buffer that is too small fails with EINVAL and skips the
    record.
    """
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    fd = kmsg.fd
    log.call("nothing", program.read, fd, BUFFER_SIZE)
    for text in (b"a\n", b"b\n", b"c\n", b"d\n", b"e\n", b"f\n"):
        kmsg.write(text)
    log.call("small", program.read, fd, 5)
    log.call("zero", program.read, fd, 0)
    log("read", kmsg.shown(program.read(fd, BUFFER_SIZE)))
    for offset in (0, 5000):
        log(f"pread {offset}", kmsg.shown(program.pread(fd, BUFFER_SIZE, offset)))
    log.call("pread -1", program.pread, fd, BUFFER_SIZE, -1)
    log("rest", kmsg.records())
    log.call("write", program.write, fd, b"x")
    log.call("truncate", program.ftruncate, fd, 0)
    log.call("fsync", program.fsync, fd)
    log("stat", program.fstat(fd)[:5])


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def sequence_numbers(world: World, log: Log) -> None:
    """Sequence numbers are consecutive in the order of writes. A failed write uses no number."""
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    for text in (b"a\n", b"b", b"x" * 2000, b"c\n", b"\n"):
        kmsg.write(text)
    numbers = []
    for _ in range(4):
        found = RECORD.fullmatch(program.read(kmsg.fd, BUFFER_SIZE))
        numbers.append(int(found[2]) if found else -1)
    log("numbers", [number - numbers[0] for number in numbers])


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def seeking(world: World, log: Log) -> None:
    """lseek(2) goes to the first record, to the first record since the last clear, or to the end."""
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    for offset, whence in ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (-1, 2), (1, 9), (0, 5), (0, -1)):
        log.call(f"{offset} {whence}", program.lseek, kmsg.fd, offset, whence)
    kmsg.to_end()
    kmsg.write(b"a\n")
    kmsg.to_end()
    kmsg.write(b"b\n")
    log("after the end", kmsg.records())
    program.lseek(kmsg.fd, 0, os.SEEK_SET)
    first = RECORD.fullmatch(program.read(kmsg.fd, BUFFER_SIZE))
    program.lseek(kmsg.fd, 0, os.SEEK_SET)
    again = RECORD.fullmatch(program.read(kmsg.fd, BUFFER_SIZE))
    log("the same", bool(first and again and first[2] == again[2]))


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def waiting(world: World, log: Log) -> None:
    """Each blocked reader gets the new record. poll, select and epoll report it."""
    programs = world.programs()
    a, b, c = programs.start(), programs.start(), programs.start()
    readers = [Kmsg(each, log) for each in (a, b)]
    for each in readers:
        each.program.fcntl(each.fd, 4, 0)
    kmsg = Kmsg(c, log)
    epoll = c.epoll_create()
    log.call("watch", c.epoll_ctl, epoll, 1, kmsg.fd, select.EPOLLIN)
    log.call("poll", c.poll, [(kmsg.fd, EVENTS)], 0)
    pending = [each.program.begin("read", each.fd, BUFFER_SIZE) for each in readers]
    log("ended", [each.done() for each in pending])
    kmsg.write(b"unfinished")
    log("ended", [each.done() for each in pending])
    kmsg.write(b"end\n")
    log("read", [kmsg.shown(each.result()) for each in pending])
    log.call("poll", c.poll, [(kmsg.fd, EVENTS)], 0)
    log.call("select", c.select, [kmsg.fd], [kmsg.fd], [kmsg.fd], 0)
    log.call("epoll", c.epoll_wait, epoll, 5, 0)
    log("records", kmsg.records())
    log.call("poll", c.poll, [(kmsg.fd, EVENTS)], 0)


@case(privileged=True, marks=PROGRAMS)
def users(world: World, log: Log) -> None:
    """Only root can write to /dev/kmsg. Reading needs CAP_SYSLOG if dmesg_restrict is set."""
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 1000)
    log.call("restricted", root.read_file, "/proc/sys/kernel/dmesg_restrict")
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, 3):
        for name, program in (("root", root), ("user", user)):
            log.call(f"{name} {flags}", program.open, KMSG, flags)
    log.call("modes", root.fstat, root.open(KMSG, os.O_WRONLY))
    log.call("user, O_PATH", user.open, KMSG, 0o10000000)
    fd = root.open(KMSG, os.O_WRONLY)
    log.call("read", root.read, fd, 10)


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def rate(world: World, log: Log) -> None:
    """An open file accepts ten records in five seconds. On close, the kernel logs how many it dropped."""
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    fd = program.open(KMSG, os.O_WRONLY)
    log("written", [program.write(fd, b"%d\n" % number) for number in range(13)])
    log.call("too long", program.write, fd, b"x" * 1025)
    log("records", kmsg.records())
    other = program.dup(fd)
    program.close(fd)
    log("one descriptor closed", kmsg.records())
    program.close(other)
    log("closed", [[prefix, flag, text.split(b":")[-1]] for prefix, flag, text in kmsg.records()])


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def cleared(world: World, log: Log) -> None:
    """After SYSLOG_ACTION_CLEAR, SEEK_DATA goes to the first record that was written later. SEEK_SET goes to
    the oldest record of the log.
    """
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    kmsg.write(b"a\n")
    log.call("clear", program.syslog, 5)
    log("still there", kmsg.records())
    kmsg.write(b"b\n")
    log.call("seek", program.lseek, kmsg.fd, 0, 3)
    log("records", kmsg.records())


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def overrun(world: World, log: Log) -> None:
    """If the record that a reader would read next is overwritten, one read fails with EPIPE. Until then, poll
    reports POLLERR and POLLPRI.
    """
    program = world.programs().start()
    kmsg = Kmsg(program, log)
    kmsg.write(b"first\n")
    for _ in range(14):
        fill(kmsg, b"x" * 1000, 10)
    log.call("poll", program.poll, [(kmsg.fd, EVENTS)], 0)
    log.call("read", program.read, kmsg.fd, BUFFER_SIZE)
    log.call("poll", program.poll, [(kmsg.fd, EVENTS)], 0)
    log("read", kmsg.shown(program.read(kmsg.fd, BUFFER_SIZE)))
    program.lseek(kmsg.fd, 0, 3)
    log.call("cleared before", program.read, kmsg.fd, BUFFER_SIZE)


def fill(kmsg: Kmsg, text: bytes, count: int) -> None:
    fd = kmsg.program.open(KMSG, os.O_WRONLY)
    for _ in range(count):
        kmsg.program.write(fd, text + b"\n")
    kmsg.program.close(fd)
