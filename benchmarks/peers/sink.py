"""UDP sockets in a process of their own that count what comes, for senders of bare datagrams.

The first line of the input says how many; their ports are the answer. Each further line asks for the count,
of datagrams, which the kernel may have put together (UDP GRO).
"""

import json
import selectors
import socket
import struct
import sys

UDP_GRO = 104
BUFFER = 4 << 20


def take(receiver: socket.socket) -> int:
    """Empties it."""
    count = 0
    while True:
        try:
            data, ancillary, _, _ = receiver.recvmsg(65536, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return count
        (segment,) = struct.unpack("i", ancillary[0][2]) if ancillary else (len(data),)
        count += -(-len(data) // segment)


def main() -> None:
    count = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(int(sys.stdin.readline())):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            receiver.setblocking(False)
            receiver.bind(("127.0.0.1", 0))
            selector.register(receiver, selectors.EVENT_READ, receiver)
        print(json.dumps([key.data.getsockname()[1] for key in selector.get_map().values()]), flush=True)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    count += take(key.data)
                elif sys.stdin.readline():
                    print(count, flush=True)
                else:
                    return


if __name__ == "__main__":
    main()
