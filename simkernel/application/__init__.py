"""The API of simulated programs: system calls with the names of Python's os and socket modules, and clients
that use these calls, such as a netlink client.
"""
