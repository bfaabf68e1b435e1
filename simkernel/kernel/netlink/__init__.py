"""Netlink: sockets through which programs and the kernel talk (net/netlink)."""
