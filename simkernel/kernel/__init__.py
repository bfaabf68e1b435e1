"""The kernel: tasks, files and sockets, netlink, modules, driver core, interrupts, costs."""
