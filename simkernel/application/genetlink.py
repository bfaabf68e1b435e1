"""A client of a generic netlink family.

camera = await app.genetlink("camera")          # CTRL_CMD_GETFAMILY
await camera.join("frames")                     # NETLINK_ADD_MEMBERSHIP
await camera.do("set-format", width=640, height=480, pixel_format="YUYV")
async for frame in camera.events("frame-ready"):
    parts = await camera.dump("read-frame", sequence=frame["sequence"])
"""

from __future__ import annotations

from simkernel.application.caller import Caller
from simkernel.application.family import ResolvedFamily, resolve
from simkernel.application.netlink_client import NetlinkClient, client_socket
from simkernel.uapi.netlink import NETLINK_GENERIC
from simkernel.ynl import Spec


class GenetlinkClient(NetlinkClient[ResolvedFamily]):
    """A client of a generic netlink family that is registered with the controller (nlctrl)."""

    @classmethod
    async def open(cls, app: Caller, name: str, spec: Spec) -> GenetlinkClient:
        """Resolve the family by name and return a client.

        Raise FileNotFoundError (ENOENT) if it is not registered.
        """
        sock = await client_socket(app, NETLINK_GENERIC)
        try:
            return cls(app, sock, await resolve(sock, name, spec))
        except BaseException:
            await sock.close()
            raise
