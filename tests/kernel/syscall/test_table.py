"""A handler whose call blocks returns an object of a special type. The system call table declares all of
them.
"""

from __future__ import annotations

from types import CoroutineType

from simkernel.kernel.sched.wait import BlockedCall
from simkernel.kernel.syscall.table import SystemCallTable


def test_table_declares_every_type_of_a_pending_result() -> None:
    assert SystemCallTable.pending == {CoroutineType, *BlockedCall.__subclasses__()}
