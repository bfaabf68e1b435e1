"""Which Linux this is.  Sources: include/generated/uapi/linux/version.h, include/generated/utsrelease.h."""

from __future__ import annotations

from typing import Final

VERSION: Final = (6, 18, 0)
"""What is modelled is Linux 6.18's."""
LINUX_VERSION_CODE: Final = VERSION[0] << 16 | VERSION[1] << 8 | min(VERSION[2], 255)
"""It as one number, as VIDIOC_QUERYCAP and modules have it (KERNEL_VERSION())."""
UTS_RELEASE: Final = ".".join(map(str, VERSION)) + "-simkernel"
UTS_VERSION: Final = "#1 SMP"
"""It as uname(2) and /proc/version tell it."""
