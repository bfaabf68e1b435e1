"""NETLINK_ROUTE: links, addresses, neighbours, routes and rules (net/core/rtnetlink.c, net/ipv4, net/ipv6)."""
