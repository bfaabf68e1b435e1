"""Unix sockets: between the programs of one machine (AF_UNIX)."""
