#!/usr/bin/env python3
"""Free ports of 127.0.0.1, below those that Linux gives to connections, so that no client takes one before its server has started.

    ports.py 3      three of them, on one line
"""

import contextlib
import random
import socket
import sys

# As tests/src/ports.rs has them. Its claims are UDP sockets of the same number.
FIRST, COUNT = 16_384, 16_384


def is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as claim, socket.socket() as server:
        claim.bind(("127.0.0.1", port))
        # As servers do; a connection that has just ended on it is no obstacle.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        return True
    return False


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.sample(range(FIRST, FIRST + COUNT), COUNT):
        if len(ports) == count:
            return ports
        if is_free(port):
            ports.append(port)
    raise RuntimeError(f"of {COUNT} ports from {FIRST} on, {len(ports)} are free, and {count} are wanted")


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1])))
