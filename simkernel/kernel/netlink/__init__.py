"""Netlink: sockets that carry messages between programs and the kernel (net/netlink)."""
