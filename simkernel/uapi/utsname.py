"""The result of uname(2).  Source: include/uapi/linux/utsname.h."""

from __future__ import annotations

from typing import NamedTuple


class Utsname(NamedTuple):
    """struct new_utsname without `domainname`. The field names are those of Python's os.uname_result."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str
