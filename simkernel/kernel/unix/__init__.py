"""Unix sockets (AF_UNIX): communication between the programs of a machine."""
