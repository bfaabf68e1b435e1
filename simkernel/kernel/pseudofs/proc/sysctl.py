"""/proc/sys/kernel: integer settings (kernel/sysctl.c), and the taint mask of the kernel."""

from __future__ import annotations

from functools import partial
from typing import Final

from simkernel.kernel.lib.kstrtox import kstrtoint
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.proc.entry import Entry, ProcText
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_SYS_ADMIN
from simkernel.uapi.errno import EINVAL, EPERM, os_error

INT: Final = range(-(1 << 31), 1 << 31)
SWITCH: Final = range(2)
"""Allowed values of a setting that is 0 or 1. Only a task with CAP_SYS_ADMIN may write such a setting
(`proc_dointvec_minmax_sysadmin()`).
"""


def _store(values: list[int], allowed: range, task: Task, data: bytes) -> int:
    """Set the integers of a setting to those in the written text (`__do_proc_dointvec()`). Raise EINVAL if
    the text is blank, if a word is not an integer, or if an integer is not in `allowed`.

    Raises EPERM without CAP_SYS_ADMIN if `allowed` is SWITCH. Surplus integers are ignored.
    """
    if allowed is SWITCH and not task.credentials.capable(CAP_SYS_ADMIN):
        raise os_error(EPERM)
    numbers = [kstrtoint(word) for word in data.decode("latin-1").split()[: len(values)]]
    if (data and not numbers) or not all(number in allowed for number in numbers):
        raise os_error(EINVAL)
    values[: len(numbers)] = numbers
    return len(data)


def table(kernel: KernelParts) -> dict[str, Entry]:
    """Return the files of /proc/sys/kernel."""

    def integers(values: list[int], allowed: range = INT) -> Entry:
        records, store = lambda: ["\t".join(map(str, values)) + "\n"], partial(_store, values, allowed)
        return partial(ProcText, records=records, mode=0o644, store=store)

    return {
        "dmesg_restrict": integers(kernel.syslog.dmesg_restrict, SWITCH),
        "printk": integers(kernel.syslog.levels),
        "tainted": partial(ProcText, records=lambda: [f"{kernel.taints.mask}\n"]),
    }
