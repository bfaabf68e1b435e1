"""/dev/ipc_demo/question: the driver answers questions by ioctl, by write and read, in mapped memory, and in
sysfs.
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.device import Device
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.mm import VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.driverapi.sysfs import DeviceAttribute
from simkernel.driverapi.uaccess import copy_from_user, copy_to_user
from simkernel.uapi import ipc_demo as uapi
from simkernel.uapi.errno import EINVAL, ENOTTY, os_error

INVERTED: Final = bytes(byte ^ 0xFF for byte in range(256))


def answer(question: bytes) -> bytes:
    """Return the answer to a question: the question's bytes with all bits inverted. Raise EINVAL if the
    question is too long.
    """
    if len(question) > uapi.MAX_QUESTION:
        raise os_error(EINVAL)
    return question.translate(INVERTED)


def attribute() -> DeviceAttribute:
    """Return the sysfs attribute `answer`. A program writes a question to this attribute, then reads the
    answer in hex digits.
    """
    last = b""

    def show(device: Device) -> str:
        return f"{last.hex()}\n"

    def store(device: Device, data: bytes) -> None:
        nonlocal last
        last = answer(data)

    return DeviceAttribute("answer", show=show, store=store, mode=0o666)


class OpenFile:
    """The state of an open file: the answer to the last write, and memory that the program can map."""

    def __init__(self) -> None:
        self.answer = b""
        self.memory = vmalloc_user(uapi.QUESTION_MEMORY)


def open(file: File) -> None:
    """Open the node.  Each open file has its own answer and memory."""
    file.private_data = OpenFile()


def write(file: File, data: bytes, position: int) -> int:
    """Store the answer to a question for the next read."""
    file.private_data.answer = answer(data)
    return len(data)


def read(file: File, size: int, position: int) -> bytes:
    """Return the next `size` bytes of the answer, or b"" at its end."""
    found: bytes = file.private_data.answer[:size]
    file.private_data.answer = file.private_data.answer[size:]
    return found


def ioctl(file: File, request: int, argument: int) -> int:
    """Execute IPC_DEMO_ASK or IPC_DEMO_RING.  Raise ENOTTY for other requests.

    IPC_DEMO_ASK passes the addresses of question and answer.  IPC_DEMO_RING answers a question in the
    mapped memory.
    """
    if request == uapi.IPC_DEMO_ASK:
        ask = uapi.IpcDemoAsk.unpack(copy_from_user(file, argument, uapi.IpcDemoAsk.SIZE))
        if ask.size > uapi.MAX_QUESTION:
            raise os_error(EINVAL)
        copy_to_user(file, ask.answer, answer(copy_from_user(file, ask.question, ask.size)))
        return 0
    if request == uapi.IPC_DEMO_RING:
        if argument > uapi.MAX_QUESTION:
            raise os_error(EINVAL)
        memory = file.private_data.memory
        memory[uapi.ANSWER_OFFSET : uapi.ANSWER_OFFSET + argument] = answer(bytes(memory[:argument]))
        return 0
    raise os_error(ENOTTY)


def mmap(file: File, area: VmArea) -> None:
    """Map the memory of this open file."""
    remap_vmalloc_range(area, file.private_data.memory, area.offset)


OPERATIONS: Final = FileOperations(open=open, write=write, read=read, ioctl=ioctl, mmap=mmap)
