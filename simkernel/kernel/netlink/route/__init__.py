"""NETLINK_ROUTE, as far as a machine has it whose only device is lo (net/core/rtnetlink.c)."""
