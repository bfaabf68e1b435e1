"""Control messages of sendmsg(2) and recvmsg(2), in particular the credentials of the sender
(net/core/scm.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simkernel.kernel.net.creds import Creds, own_creds
from simkernel.kernel.net.sock import Sock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import capability as cap
from simkernel.uapi import socket as so
from simkernel.uapi.errno import EINVAL, EPERM, ESRCH, os_error

ControlMessage = tuple[int, int, bytes]
"""Level, type and data of a control message."""

NO_ID = 2**32 - 1
"""Invalid user or group id (`uid_valid()`)."""


def send(task: Task, control: Iterable[ControlMessage], pid_exists: Callable[[int], bool]) -> Creds:
    """Return the credentials of a message: those in SCM_CREDENTIALS, else the sender's own (`scm_send()`).

    Raise EINVAL for another control message of level SOL_SOCKET; other levels are ignored. Raise EPERM if
    the credentials need a privilege that the sender lacks, ESRCH if the process does not exist.
    """
    own = creds = own_creds(task)
    for level, type, data in control:
        if level != so.SOL_SOCKET:
            continue
        if type != so.SCM_CREDENTIALS or len(data) != so.Ucred.SIZE:
            raise os_error(EINVAL)
        creds = so.Ucred.LAYOUT.unpack(data)
        _check(task, own, creds)
        if creds[0] != own[0] and not pid_exists(creds[0]):
            raise os_error(ESRCH)
    return creds


def _check(task: Task, own: Creds, claim: Creds) -> None:
    """Raise EPERM if the sender passes ids that are not its own and lacks the capability for them
    (`scm_check_creds()`).
    """
    if NO_ID in claim[1:]:
        raise os_error(EINVAL)
    needed = (cap.CAP_SYS_ADMIN, cap.CAP_SETUID, cap.CAP_SETGID)
    for real, claimed, capability in zip(own, claim, needed, strict=True):
        if real != claimed and not task.credentials.capable(capability):
            raise os_error(EPERM)


class ControlBuffer:
    """The receiver's buffer for control messages. A message that does not fit is truncated, or dropped if
    even its header does not fit (MSG_CTRUNC).
    """

    __slots__ = ("flags", "messages", "space")

    def __init__(self, space: int) -> None:
        self.space = space
        self.flags = 0
        self.messages: list[ControlMessage] = []

    def put(self, level: int, type: int, data: bytes) -> None:
        """Append a control message, truncated to the remaining space (`put_cmsg()`). If even the message's
        header does not fit, drop the message.
        """
        if self.space < so.CMSG_HDRLEN:
            self.flags |= so.MSG_CTRUNC
            return
        length = so.CMSG_LEN(len(data))
        if self.space < length:
            self.flags |= so.MSG_CTRUNC
            length = self.space
        self.messages.append((level, type, data[: length - so.CMSG_HDRLEN]))
        self.space -= min(so.CMSG_SPACE(len(data)), self.space)


def receive(sock: Sock, control: ControlBuffer, creds: Creds, controllen: int) -> None:
    """If the receiver enabled SO_PASSCRED, append the sender's credentials to `control` (`scm_recv()`).

    simkernel has no security module, so SO_PASSSEC adds nothing. Without a control buffer it still sets
    MSG_CTRUNC, as on Linux.
    """
    if sock.option(so.SO_PASSCRED):
        control.put(so.SOL_SOCKET, so.SCM_CREDENTIALS, so.Ucred.LAYOUT.pack(*creds))
    if not controllen and sock.option(so.SO_PASSSEC):
        control.flags |= so.MSG_CTRUNC
