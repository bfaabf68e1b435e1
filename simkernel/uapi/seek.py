"""Values of `whence` for lseek(2).  Source: include/uapi/linux/fs.h."""

from __future__ import annotations

from typing import Final

SEEK_SET: Final = 0
SEEK_CUR: Final = 1
SEEK_END: Final = 2
SEEK_DATA: Final = 3
SEEK_HOLE: Final = 4
