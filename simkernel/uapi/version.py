"""The version of Linux that is modelled.

Sources: include/generated/uapi/linux/version.h, include/generated/utsrelease.h.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = (6, 18, 0)
"""The modelled version of Linux."""
LINUX_VERSION_CODE: Final = VERSION[0] << 16 | VERSION[1] << 8 | min(VERSION[2], 255)
"""The modelled version of Linux as one number (KERNEL_VERSION()), as in VIDIOC_QUERYCAP."""
UTS_RELEASE: Final = ".".join(map(str, VERSION)) + "-simkernel"
UTS_VERSION: Final = "#1 SMP"
"""The field `version` of uname(2), which /proc/version also contains."""
