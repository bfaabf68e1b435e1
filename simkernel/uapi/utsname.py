"""What uname(2) tells.  Source: include/uapi/linux/utsname.h."""

from __future__ import annotations

from typing import NamedTuple


class Utsname(NamedTuple):
    """struct new_utsname, as far as Python's os.uname_result has it, and under its names."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str
