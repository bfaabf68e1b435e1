"""If a system call blocks, its handler returns a coroutine or a `BlockedCall`. `SystemCallTable.pending`
contains all types of such results.
"""

from __future__ import annotations

from types import CoroutineType

from simkernel.kernel.sched.wait import BlockedCall
from simkernel.kernel.syscall.table import SystemCallTable


def test_table_declares_every_type_of_a_pending_result() -> None:
    assert SystemCallTable.pending == {CoroutineType, *BlockedCall.__subclasses__()}
