"""Questions: by ioctl, by write and read, through mapped memory, and by a file below /sys."""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.device import Device
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.mm import VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.sysfs import DeviceAttribute
from simkernel.driverapi.uaccess import copy_from_user, copy_to_user
from simkernel.uapi.errno import EINVAL, ENOTTY, os_error
from simkernel.uapi.ipc_demo import (
    ANSWER_OFFSET,
    IPC_DEMO_ASK,
    IPC_DEMO_RING,
    LONGEST_QUESTION,
    QUESTION_MEMORY,
    IpcDemoAsk,
)

TURNED_OVER: Final = bytes(byte ^ 0xFF for byte in range(256))


def answer(question: bytes) -> bytes:
    """The same bytes, each bit turned over.  EINVAL for a question that is too long."""
    if len(question) > LONGEST_QUESTION:
        raise os_error(EINVAL)
    return question.translate(TURNED_OVER)


class Questions:
    """What answers them.  The last answer to what was written below /sys is kept there."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self._shown = b""

    def attribute(self) -> DeviceAttribute:
        """/sys/class/ipc_demo/question/answer: write a question, read its answer in hex digits."""

        def show(device: Device) -> str:
            return f"{self._shown.hex()}\n"

        def store(device: Device, data: bytes) -> None:
            self._shown = answer(data)

        return DeviceAttribute("answer", show=show, store=store, mode=0o666)


class Asker:
    """One open file: the answer to what was written last, and memory that is shared with the program."""

    def __init__(self) -> None:
        self.answer = b""
        self.memory = vmalloc_user(QUESTION_MEMORY)


def open(file: File) -> None:
    """A file of its own for each."""
    file.private_data = Asker()


def write(file: File, data: bytes, position: int) -> int:
    """A question."""
    file.private_data.answer = answer(data)
    return len(data)


def read(file: File, size: int, position: int) -> bytes:
    """Its answer, or as much as there is room for; then none."""
    asker: Asker = file.private_data
    found, asker.answer = asker.answer[:size], asker.answer[size:]
    return found


def ioctl(file: File, request: int, argument: int) -> int:
    """IPC_DEMO_ASK, IPC_DEMO_RING."""
    if request == IPC_DEMO_ASK:
        ask = IpcDemoAsk.unpack(copy_from_user(file, argument, IpcDemoAsk.SIZE))
        if ask.size > LONGEST_QUESTION:
            raise os_error(EINVAL)
        copy_to_user(file, ask.answer, answer(copy_from_user(file, ask.question, ask.size)))
        return 0
    if request == IPC_DEMO_RING:
        if argument > LONGEST_QUESTION:
            raise os_error(EINVAL)
        memory = file.private_data.memory
        memory[ANSWER_OFFSET : ANSWER_OFFSET + argument] = answer(bytes(memory[:argument]))
        return 0
    raise os_error(ENOTTY)


def mmap(file: File, area: VmArea) -> None:
    """The memory of this open file."""
    remap_vmalloc_range(area, file.private_data.memory, area.offset)


OPERATIONS: Final = FileOperations(open=open, write=write, read=read, ioctl=ioctl, mmap=mmap)
