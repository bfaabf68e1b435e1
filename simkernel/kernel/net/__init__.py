"""The common part of all sockets and network devices (net/core): namespaces, buffers, options, filters."""
