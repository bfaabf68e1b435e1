"""Control messages of unix sockets: files and credentials (net/core/scm.c, net/unix/af_unix.c).

A message holds references to the files that it carries.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from simkernel.kernel.net import scm
from simkernel.kernel.net.creds import Creds
from simkernel.kernel.net.scm import ControlBuffer
from simkernel.kernel.net.sock import Sock
from simkernel.kernel.unix.skb import NO_CREDS, release_files
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.socket import Control
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import socket as so
from simkernel.uapi.errno import EINVAL, EMFILE, os_error
from simkernel.uapi.structure import S32

MAX_FILES: Final = 253
"""Maximum number of files in a message (SCM_MAX_FD)."""


def send(
    task: Task, control: Control, pid_exists: Callable[[int], bool]
) -> tuple[Creds | None, tuple[OpenFile, ...]]:
    """Return the contents of the control messages: the credentials or None, and the files (`scm_send()`).

    Raises EBADF for a closed descriptor, EINVAL for too many descriptors or an unknown control message.
    """
    files: list[OpenFile] = []
    creds: Creds | None = None
    for message in control:
        level, kind, data = message
        if level != so.SOL_SOCKET:
            continue
        if kind == so.SCM_RIGHTS:
            fds = array("i", data[: len(data) // S32.size * S32.size])
            if len(fds) + len(files) > MAX_FILES:
                raise os_error(EINVAL)
            files += [task.files.get_raw(fd) for fd in fds]
        elif kind == so.SCM_CREDENTIALS:
            creds = scm.send(task, [message], pid_exists)
        else:
            raise os_error(EINVAL)
    return creds, tuple(file.get() for file in files)


def receive(
    sock: Sock, task: Task, control: ControlBuffer, creds: Creds | None, files: tuple[OpenFile, ...],
    flags: int,
) -> None:  # fmt: skip
    """Give the receiver the files, and the credentials if it has set SO_PASSCRED (`scm_recv_unix()`)."""
    if sock.option(so.SO_PASSCRED):
        scm.receive(sock, control, creds or NO_CREDS, control.space)
    if files:
        _install(task, control, files, flags)


def _install(task: Task, control: ControlBuffer, files: tuple[OpenFile, ...], flags: int) -> None:
    """Install a descriptor for each file that fits in the control buffer (`scm_detach_fds()`).

    The files that do not fit are closed.
    """
    room = max(control.space - so.CMSG_HDRLEN, 0) // S32.size
    fds = []
    for file in files[:room]:
        try:
            fds.append(task.files.install(file, close_on_exec=bool(flags & so.MSG_CMSG_CLOEXEC)))
        except OSError as error:
            if error.errno != EMFILE:
                raise
            break
    if fds:
        control.put(so.SOL_SOCKET, so.SCM_RIGHTS, array("i", fds).tobytes())
    if len(fds) < len(files):
        control.flags |= so.MSG_CTRUNC
    release_files(files)
