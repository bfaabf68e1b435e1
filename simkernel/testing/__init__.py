"""For tests of your own programs: a machine that ordinary code can talk to, without a program.

from simkernel.testing import world

with world(privileged=False) as w:
    sock = w.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    sock.bind((0, 0))
"""

from simkernel.testing.blocking import Blocking
from simkernel.testing.event_loop import event_loop
from simkernel.testing.leaks import left_behind
from simkernel.testing.socket import BlockingSocket
from simkernel.testing.world import World, world

__all__ = ["Blocking", "BlockingSocket", "World", "event_loop", "left_behind", "world"]
