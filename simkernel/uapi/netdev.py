"""Commands and attributes of netdev, the generic netlink family of network devices.

Source: include/uapi/linux/netdev.h.
"""

from __future__ import annotations

from typing import Final

NETDEV_CMD_DEV_GET: Final = 1

NETDEV_A_DEV_IFINDEX: Final = 1
NETDEV_A_DEV_XDP_FEATURES: Final = 3
NETDEV_A_DEV_XDP_RX_METADATA_FEATURES: Final = 5
NETDEV_A_DEV_XSK_FEATURES: Final = 6

NETDEV_A_PAGE_POOL_ID: Final = 1

NETDEV_A_QUEUE_ID: Final = 1
NETDEV_A_QUEUE_IFINDEX: Final = 2
NETDEV_A_QUEUE_TYPE: Final = 3

NETDEV_A_NAPI_IFINDEX: Final = 1
NETDEV_A_NAPI_ID: Final = 2

NETDEV_A_QSTATS_IFINDEX: Final = 1

NETDEV_A_DMABUF_IFINDEX: Final = 1
NETDEV_A_DMABUF_QUEUES: Final = 2
NETDEV_A_DMABUF_FD: Final = 3
