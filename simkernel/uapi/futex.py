"""Operations of futex(2).  Source: include/uapi/linux/futex.h."""

from __future__ import annotations

from typing import Final

FUTEX_PRIVATE_FLAG: Final = 128
FUTEX_WAIT_PRIVATE: Final = 0 | FUTEX_PRIVATE_FLAG
FUTEX_WAKE_PRIVATE: Final = 1 | FUTEX_PRIVATE_FLAG


class FutexWord:
    """A futex word, which the threads of a process share.  simkernel identifies a futex by this object, not
    by an address.
    """

    value: int = 0
