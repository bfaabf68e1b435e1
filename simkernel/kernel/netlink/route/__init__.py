"""NETLINK_ROUTE: links, addresses, neighbours, routes and rules (net/core, net/ipv4, net/ipv6)."""
