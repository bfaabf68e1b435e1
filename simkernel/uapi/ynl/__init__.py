"""Netlink families as YNL specifications: read, checked, described, and turned into codecs and policies."""
