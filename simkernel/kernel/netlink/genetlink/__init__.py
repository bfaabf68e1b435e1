"""Generic netlink: families of commands over one protocol (net/netlink/genetlink.c)."""
