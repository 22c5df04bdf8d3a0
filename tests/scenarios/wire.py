# SPDX-License-Identifier: MIT
"""A client of asockd in nothing but socket and json: that the wire needs no library is part of what
is tested.

As a program it makes one call and prints the reply as one line of JSON, so that a test can run it
in another namespace or as another user:  wire.py SOCKET METHOD [PARAMETERS-AS-JSON] With a
descriptor in the reply the line also says where it leads and what was read from it.
"""

import array
import fcntl
import json
import select
import socket
import sys
import termios

CONNECTOR = "org.asockd.Connector"
RESOLVER = "org.asockd.Resolver"
MANAGER = "org.asockd.Manager"
SERVICE = "org.varlink.service"

PING = MANAGER + ".Ping"
WHOAMI = MANAGER + ".Whoami"
CONNECT = CONNECTOR + ".Connect"
CONNECT_NEXT = CONNECTOR + ".ConnectNext"
BIND = CONNECTOR + ".Bind"
RESOLVE = RESOLVER + ".ResolveSockaddr"
RESOLVE_SERVICE = RESOLVER + ".ResolveService"
RESOLVE_RECORD = RESOLVER + ".ResolveRecord"
RESOLVE_ADDRESS = RESOLVER + ".ResolveAddress"
LIST_SERVERS = MANAGER + ".ListServers"
DUMP_CACHE = MANAGER + ".DumpCache"
FLUSH_CACHE = MANAGER + ".FlushCache"
DUMP_HISTORY = MANAGER + ".DumpHistory"
FLUSH_HISTORY = MANAGER + ".FlushHistory"
EXPLAIN = MANAGER + ".Explain"
BAD_FRAME = CONNECTOR + ".BadFrame"
DENIED = CONNECTOR + ".Denied"
TIMED_OUT = CONNECTOR + ".TimedOut"
CONNECT_FAILED = CONNECTOR + ".ConnectFailed"
NO_MORE_CANDIDATES = CONNECTOR + ".NoMoreCandidates"
INVALID_PARAMETER = SERVICE + ".InvalidParameter"
PERMISSION_DENIED = SERVICE + ".PermissionDenied"


class CallError(Exception):
    """An error reply."""

    def __init__(self, name, parameters):
        super().__init__(f"{name} {json.dumps(parameters)}")
        self.name = name
        self.parameters = parameters


class Closed(Exception):
    """The daemon ended the connection."""


class Client:
    """One connection. Frames end with NUL, or with a line feed when lf is true."""

    def __init__(self, path, lf=False, timeout=15.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.end = b"\n" if lf else b"\0"
        self.buffer = b""
        self.descriptors = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connection and the descriptors that no reply claimed."""
        for fd in self.descriptors:
            socket.close(fd)
        self.descriptors = []
        self.socket.close()

    def encode(self, method, parameters=None, **more):
        """One call as bytes."""
        call = {"method": method, **more}
        if parameters is not None:
            call["parameters"] = parameters
        return json.dumps(call).encode() + self.end

    def send(self, method, parameters=None, **more):
        """Sends one call and waits for nothing."""
        self.send_raw(self.encode(method, parameters, **more))

    def send_raw(self, data):
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def receive(self):
        """The next reply as (object, connected socket or None)."""
        while self.end not in self.buffer:
            try:
                data, fds, flags, _ = socket.recv_fds(self.socket, 65536, 4)
            except ConnectionResetError:
                data, fds, flags = b"", [], 0
            self.descriptors += fds
            if flags & socket.MSG_CTRUNC:
                raise AssertionError("a descriptor was cut off")
            if not data:
                raise Closed(f"end of the connection behind {self.buffer!r}")
            self.buffer += data
        frame, self.buffer = self.buffer.split(self.end, 1)
        assert b"\0" not in frame and b"\n" not in frame, "a raw NUL or line feed in a reply"
        reply = json.loads(frame)
        index = reply.get("parameters", {}).get("fileDescriptor")
        if index is None:
            return reply, None
        assert index == 0, "one call has one descriptor"
        return reply, socket.socket(fileno=self.descriptors.pop(0))

    def call(self, method, **parameters):
        """Calls and answers the reply's parameters; a descriptor must not come."""
        self.send(method, parameters)
        reply, connection = self.receive()
        assert connection is None, "a descriptor nobody asked for"
        return result(reply)

    def connect(self, host=None, service=None, **parameters):
        """Calls Connect; answers (parameters of the reply, connected socket)."""
        if host is not None:
            parameters["host"] = host
        if service is not None:
            parameters["service"] = str(service)
        return self.call_for_socket(CONNECT, parameters)

    def connect_next(self):
        """Calls ConnectNext; likewise."""
        return self.call_for_socket(CONNECT_NEXT)

    def bind(self, **parameters):
        """Calls Bind; answers (parameters of the reply, bound socket)."""
        return self.call_for_socket(BIND, parameters)

    def call_for_socket(self, method, parameters=None):
        """Calls what answers with a descriptor."""
        self.send(method, parameters)
        return self.receive_connection()

    def receive_connection(self):
        """The reply of one of these."""
        reply, connection = self.receive()
        parameters = result(reply)
        assert connection is not None, "no descriptor came with the reply"
        return parameters, connection

    def receive_events(self):
        """Replies of a call with "more": (events, whole last reply, connected socket or None)."""
        events = []
        while True:
            reply, connection = self.receive()
            if not reply.get("continues"):
                return events, reply, connection
            assert set(reply) == {"parameters", "continues"} and set(reply["parameters"]) == {"event"}
            events.append(reply["parameters"]["event"])

    def half_close(self):
        """No more calls will come."""
        self.socket.shutdown(socket.SHUT_WR)

    def at_end(self):
        """Whether the daemon closes now, with nothing more to say."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def unread(self):
        """How many bytes wait in the kernel to be read."""
        count = array.array("i", [0])
        fcntl.ioctl(self.socket, termios.FIONREAD, count)
        return count[0]

    def silent_for(self, seconds):
        """Whether nothing comes, not even an end, for so long."""
        return not self.buffer and not select.select([self.socket], [], [], seconds)[0]


def result(reply):
    """The parameters of a good reply; raises CallError for an error."""
    if "error" in reply:
        raise CallError(reply["error"], reply.get("parameters", {}))
    return reply.get("parameters", {})


def main(path, method, parameters="{}"):
    """One call from the command line."""
    with Client(path) as client:
        client.send(method, json.loads(parameters))
        reply, connection = client.receive()
        if connection is not None:
            with connection:
                connection.settimeout(10)
                reply["peer"] = list(connection.getpeername()[:2])
                reply["greeting"] = connection.recv(100).decode()
    print(json.dumps(reply))


if __name__ == "__main__":
    main(*sys.argv[1:])
