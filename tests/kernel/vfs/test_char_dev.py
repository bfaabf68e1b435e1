"""A character device: the arguments of its driver's operations, and the results that programs get."""

from __future__ import annotations

import os
from struct import pack, unpack

import pytest

from simkernel import seconds
from simkernel.uapi.ioctl import _IOWR
from simkernel.uapi.poll import POLLIN
from tests.kernel.conftest import Bench

BOX = """
import attrs
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.structure import U32, U64

@attrs.define(eq=False)
class Box:
    this: object
    queue: object
    letters: list = attrs.field(factory=list)
    opened: list = attrs.field(factory=list)
    area: object = None
    memory: object = None
    mapped: int = 0
    cdev: object = None
    number: object = None
    device: object = None

def open(file):
    if iminor(file) == 1:
        raise os_error(EBUSY)
    file.private_data = file.cdev.data
    file.private_data.opened.append(file.flags)

async def release(file):
    await msleep(file.private_data.this, 1)
    file.private_data.opened.pop()

async def read(file, size, position):
    box = file.private_data
    if not box.letters and file.flags & O_NONBLOCK:
        raise os_error(EAGAIN)
    await wait_event_interruptible(box.queue, lambda: box.letters)
    return box.letters.pop(0)[:size]

def write(file, data, position):
    if data == b"boom":
        raise ValueError(data)
    file.private_data.letters.append(data)
    wake_up_interruptible(file.private_data.queue)
    return len(data)

def poll(file, table):
    poll_wait(file.private_data.queue, table)
    return POLLIN if file.private_data.letters else 0

def ioctl(file, request, argument):
    address, length = (get_user(file, argument, U64), get_user(file, argument + 8, U64))
    text = copy_from_user(file, address, length)
    copy_to_user(file, address, text[::-1])
    put_user(file, argument + 8, U64, length + 1)
    return 7

def mmap(file, area):
    box = file.private_data
    remap_vmalloc_range(area, box.memory, area.offset)
    box.mapped += 1
    def closed(area):
        box.mapped -= 1
        if box.mapped < 0:
            raise ValueError
    area.closed = closed

OPERATIONS = FileOperations(
    open=open, release=release, read=read, write=write, poll=poll, ioctl=ioctl, mmap=mmap
)

def init(this):
    box = Box(this, init_waitqueue_head("letters"))
    box.memory = vmalloc_user(8192)
    box.number = alloc_chrdev_region(this, 0, 2, "box")
    box.cdev = cdev_init(this, OPERATIONS, data=box)
    cdev_add(box.cdev, box.number, 2)
    kind = class_register(this, "box", devnode=lambda device: NodeAccess(0o640, gid=7))
    box.device = device_create(this, kind, None, "box0", node="boxes/first", number=box.number)
    return box

def exit(this, box):
    pass
"""


@pytest.fixture
def box(bench: Bench) -> Bench:
    """Load the module `box` into the machine of `bench`, and return `bench`."""
    bench.module("box", BOX)
    bench.load("box")
    return bench


def test_a_node_appears_and_goes_with_the_device(box: Bench) -> None:
    root = box.root
    status = root.stat("/dev/boxes/first")
    assert (status.st_mode, status.st_uid, status.st_gid) == (0o020640, 0, 7)
    assert status.st_rdev == os.makedev(254, 0)
    assert root.listdir("/dev/boxes") == ["first"]
    assert b"254 box\n" in root.read_file("/proc/devices")
    root.rmmod("box")
    assert "boxes" not in root.listdir("/dev")
    assert b"box" not in root.read_file("/proc/devices")
    assert {record for record in box.log if "left behind" in record} == {
        "box: left behind: chrdev region 254:0 (box)",
        "box: left behind: cdev 254:0",
        "box: left behind: class box",
        "box: left behind: device /devices/virtual/box/box0",
    }


def test_a_directory_that_a_program_made_stays_and_so_does_its_node(box: Bench) -> None:
    root = box.root
    root.unlink("/dev/boxes/first")
    root.mknod("/dev/boxes/first", 0o020666, os.makedev(254, 0))
    root.rmmod("box")
    assert root.listdir("/dev/boxes") == ["first"]
    with pytest.raises(OSError) as gone:
        root.open("/dev/boxes/first", os.O_RDONLY)
    assert gone.value.errno == 6  # ENXIO: no driver has registered the number


def test_a_module_with_an_open_file_cannot_be_unloaded(box: Bench) -> None:
    root = box.root
    fd = root.open("/dev/boxes/first", os.O_RDWR)
    assert root.lsmod()[0]["references"] == 1
    with pytest.raises(OSError) as busy:
        root.rmmod("box")
    assert busy.value.errno == 16
    root.close(fd)
    assert root.lsmod()[0]["references"] == 0
    assert box.data("box").opened == [], "close has waited for the release"


def test_an_open_that_is_refused_leaves_nothing(box: Bench) -> None:
    root = box.root
    root.mknod("/tmp/second", 0o020666, os.makedev(254, 1))
    for _ in range(2):
        with pytest.raises(OSError) as busy:
            root.open("/tmp/second", os.O_RDONLY)
        assert busy.value.errno == 16
    assert root.lsmod()[0]["references"] == 0


def test_a_reader_waits_for_the_writer(box: Bench) -> None:
    got = []

    async def reader(app):
        fd = await app.open("/dev/boxes/first", os.O_RDONLY)
        got.append(await app.read(fd, 3))

    async def writer(app):
        await app.sleep(1)
        fd = await app.open("/dev/boxes/first", os.O_WRONLY)
        await app.write(fd, b"letter")

    for program in (reader, writer):
        box.machine.spawn(program)
    box.pass_time(seconds(2))
    assert got == [b"let"]


def test_a_non_blocking_read_gets_eagain_from_the_driver(box: Bench) -> None:
    root = box.root
    fd = root.open("/dev/boxes/first", os.O_RDWR | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        root.read(fd, 10)
    assert root.poll([(fd, POLLIN)], 0) == []
    root.write(fd, b"hello")
    assert root.poll([(fd, POLLIN)], 0) == [(fd, POLLIN)]
    assert root.read(fd, 10) == b"hello"


def test_a_request_reaches_memory_behind_a_pointer(box: Bench) -> None:
    root = box.root
    fd = root.open("/dev/boxes/first", os.O_RDWR)
    memory = root.mmap(-1, 4096)
    memory[100:106] = b"abcdef"
    argument = bytearray(pack("<QQ", memory.address + 100, 6))
    assert root.ioctl(fd, _IOWR("b", 1, 16), argument) == 7
    assert memory[100:106] == b"fedcba"
    assert unpack("<QQ", argument)[1] == 7
    wrong = bytearray(pack("<QQ", memory.address + 4093, 6))
    with pytest.raises(OSError) as fault:
        root.ioctl(fd, _IOWR("b", 1, 16), wrong)
    assert fault.value.errno == 14


def test_memory_is_shared_and_counted(box: Bench) -> None:
    root = box.root
    fd = root.open("/dev/boxes/first", os.O_RDWR)
    memory = root.mmap(fd, 4096, offset=4096)
    root.close(fd)
    box.data("box").memory[4096:4100] = b"from"
    assert memory[:4] == b"from"
    memory[0:4] = b"back"
    assert bytes(box.data("box").memory[4096:4100]) == b"back"
    assert root.lsmod()[0]["references"] == 1, "a mapping keeps the file open"
    with pytest.raises(OSError) as short:
        root.mmap(root.open("/dev/boxes/first", os.O_RDWR), 8192, offset=4096)
    assert short.value.errno == 22
    memory.close()
    assert box.data("box").mapped == 0


def test_a_process_that_ends_unmaps(box: Bench) -> None:
    process = box.machine.blocking()
    fd = process.open("/dev/boxes/first", os.O_RDWR)
    process.mmap(fd, 4096)
    assert box.data("box").mapped == 1
    process.exit()
    assert box.data("box").mapped == 0
    # the driver's release operation sleeps, and completes after the process has ended
    box.pass_time(seconds(1))
    assert box.data("box").opened == []
    assert box.root.lsmod()[0]["references"] == 0


def test_an_oops_in_an_operation_is_efault_and_the_machine_continues(box: Bench) -> None:
    root = box.root
    fd = root.open("/dev/boxes/first", os.O_RDWR)
    with pytest.raises(OSError) as fault:
        root.write(fd, b"boom")
    assert fault.value.errno == 14
    assert "Oops: [#1] in write of 254:0" in box.log
    assert root.write(fd, b"fine") == 4


def test_a_missing_operation_has_linux_s_default(bench: Bench) -> None:
    bench.module(
        "bare",
        """
        def init(this):
            number = alloc_chrdev_region(this, 5, 1, "bare")
            cdev = cdev_init(this, FileOperations())
            cdev_add(cdev, number)
            return number
    """,
    )
    major, minor = bench.load("bare")
    root = bench.root
    root.mknod("/tmp/bare", 0o020600, os.makedev(major, minor))
    fd = root.open("/tmp/bare", os.O_RDWR)
    wanted = {
        22: (lambda: root.read(fd, 1), lambda: root.write(fd, b"x")),
        25: (lambda: root.ioctl(fd, 1, 0),),
        29: (lambda: root.lseek(fd, 0, 0),),
        19: (lambda: root.mmap(fd, 4096),),
    }
    for number, calls in wanted.items():
        for call in calls:
            with pytest.raises(OSError) as error:
                call()
            assert error.value.errno == number
    assert root.poll([(fd, POLLIN)], 0) == [(fd, POLLIN)]


def test_numbers_are_reserved_once(bench: Bench) -> None:
    bench.module(
        "greedy",
        """
        def init(this):
            register_chrdev_region(this, (60, 0), 10, "first")
            for number, count in (((60, 9), 1), ((60, 5), 100), ((600, 0), 1), ((61, 9), 1 << 20)):
                try:
                    register_chrdev_region(this, number, count, "second")
                except OSError as error:
                    pr_info(this, f"at {number}: {error.errno}")
            register_chrdev_region(this, (60, 10), 1, "third")
            majors = [alloc_chrdev_region(this, 0, 1, "any")[0] for _ in range(3)]
            pr_info(this, f"at {majors}")
        def exit(this, _):
            pass
    """,
    )
    bench.load("greedy")
    assert [line for line in bench.log if line.startswith("greedy: at")] == [
        "greedy: at (60, 9): 16", "greedy: at (60, 5): 16", "greedy: at (600, 0): 22",
        "greedy: at (61, 9): 22", "greedy: at [254, 253, 252]",
    ]  # fmt: skip
    text = bench.root.read_file("/proc/devices").decode()
    assert text == (
        "Character devices:\n  1 mem\n 60 first\n 60 third\n252 any\n253 any\n254 any\n\nBlock devices:\n"
    )
