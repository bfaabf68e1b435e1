"""What every socket has in common (net/core): namespaces, buffers, options, filters."""
