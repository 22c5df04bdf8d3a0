# SPDX-License-Identifier: MIT
"""TCP peers: what a connection of asockd can lead to. All listen on a free port of loopback unless
told otherwise.

As a program it greets on one port of every address, for use in a namespace:  peers.py PORT It
prints "ready" when it listens. "peers.py demo" is the target of ./try: on one port, which stands
behind "ready", 127.0.0.1 never answers and 127.0.0.2 greets.
"""

import contextlib
import errno
import selectors
import socket
import struct
import sys
import threading

GREETING = b"greetings\n"


class Greeter:
    """Greets whoever connects, sends back what it reads, and counts connections."""

    def __init__(self, address="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.accepted = 0
        self.listener = socket.create_server((address, port), family=family, backlog=128,
                                             dualstack_ipv6=address == "::")
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.close()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def run(self):
        """Serves until woken up."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.woken:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.echo(key.fileobj)

    def accept(self):
        """One more connection."""
        connection, _ = self.listener.accept()
        self.accepted += 1
        with contextlib.suppress(OSError):
            connection.sendall(GREETING)
        self.selector.register(connection, selectors.EVENT_READ)

    def echo(self, connection):
        """Sends back what came; an end is answered by an end."""
        try:
            data = connection.recv(65536)
            if data:
                connection.sendall(data)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            connection.close()


class Rude(Greeter):
    """Closes each connection at once."""

    def accept(self):
        connection, _ = self.listener.accept()
        self.accepted += 1
        connection.close()


class BlackHole:
    """A loopback port on which attempts hang: the queue of its listener is full and stays so."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []

    def __enter__(self):
        for _ in range(16):
            filler = socket.socket()
            self.fillers.append(filler)
            filler.settimeout(0.3)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return self
        raise AssertionError("the listener's queue does not fill")

    def __exit__(self, *_):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


def closed_port():
    """A port that refuses: bound by nobody any more."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def close_with_reset(connection):
    """Closes without TIME_WAIT."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def can_bind(address):
    """Whether an address of this kind can be had here (IPv6 may be switched off)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return False
        raise
    return True


def main(port):
    """Greets until killed."""
    if port == "demo":
        with BlackHole() as hole, Greeter("127.0.0.2", hole.port) as greeter:
            print("ready", hole.port, flush=True)
            greeter.thread.join()
    with Greeter("::", int(port)) as greeter:
        print("ready", flush=True)
        greeter.thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
