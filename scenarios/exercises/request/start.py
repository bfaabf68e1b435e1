import struct

REQUEST, ACK = 1, 4


def message(type, flags, sequence, command, attributes):
    """Return a netlink message with the netlink header and the generic netlink header."""
    raise NotImplementedError(
        "make the netlink and generic netlink headers with struct.pack, then add the attributes"
    )


async def set_rate(app, sock, rate):
    await sock.sendto(message(16, REQUEST, 1, 3, b""), (0, 0))
    data, sender = await sock.recvfrom(8192)
    print("from port", sender[0], "header", struct.unpack_from("<IHHII", data))
    return 0
