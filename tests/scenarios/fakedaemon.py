# SPDX-License-Identifier: MIT
"""A scripted asockd: a varlink server in threads, on a public and a control socket of its own, that
answers by a table of method -> reply.

It stands for a daemon that has just the cache, the servers and the answers that a test of asockctl
wants to see on the screen: what came when, from whom and how fast, and every error. What a real
daemon answers it cannot show; the scenarios against asockd do, and the .varlink files are the
measure of both.
"""

import json
import pathlib
import shutil
import socket
import tempfile
import threading


def error(error_name, /, **parameters):
    """An error reply for the table."""
    return {"error": error_name, "parameters": parameters}


def send(connection, reply):
    """A reply, with the descriptor that it names."""
    data = json.dumps(reply, ensure_ascii=False).encode() + b"\0"
    parameters = reply.get("parameters", {})
    if "fileDescriptor" not in parameters:
        connection.sendall(data)
        return
    is_inet6 = parameters["peer"]["family"] == "inet6"
    with socket.socket(socket.AF_INET6 if is_inet6 else socket.AF_INET) as passed:
        assert socket.send_fds(connection, [data], [passed.fileno()]) == len(data)


class FakeDaemon:
    """Answers calls until the end of the with block.

    replies   method -> the parameters of a good reply; or what error() makes; or a list, whose last is
              one of the two, and the others the parameters of replies before it, for calls with
              "more"; or a function of the call's parameters that answers one of these; None: the
              connection is closed. With "fileDescriptor" goes a socket of the family of "peer".
    calls     what was asked: (socket, method, parameters), socket "public" or "control"
    """

    def __init__(self, replies):
        self.replies = replies
        self.calls = []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asock-fake-", dir="/tmp"))
        self.socket = self.directory / "asockd.sock"
        self.control = self.directory / "control.sock"
        self.listeners = []
        self.connections = []
        self.threads = []
        self.failures = []  # of the table, not of the client

    def __enter__(self):
        for name, path in (("public", self.socket), ("control", self.control)):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(64)
            self.listeners.append(listener)
            self.run(self.accept, name, listener)
        return self

    def __exit__(self, *_):
        for open_socket in self.listeners + self.connections:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client was faster
        for thread in self.threads:
            thread.join()
        for open_socket in self.listeners + self.connections:
            open_socket.close()
        shutil.rmtree(self.directory)
        assert not self.failures, self.failures

    def run(self, function, *arguments):
        """In a thread that is waited for."""
        thread = threading.Thread(target=function, args=arguments)
        self.threads.append(thread)
        thread.start()

    def accept(self, name, listener):
        """Every connection of a socket, each in its own thread."""
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            self.run(self.serve, name, connection)

    def serve(self, name, connection):
        """The calls of a connection, one at a time."""
        buffer = b""
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                return
            buffer += data
            while b"\0" in buffer:
                frame, buffer = buffer.split(b"\0", 1)
                replies = self.try_answer(name, json.loads(frame))
                if replies is None:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                for reply in replies:
                    send(connection, reply)

    def try_answer(self, name, call):
        """The replies; the end of the connection for what the table has none for."""
        try:
            return self.answer(name, call)
        except Exception as exception:  # pylint: disable=broad-exception-caught
            self.failures.append(f"{call}: {exception!r}")
            return None

    def answer(self, name, call):
        """The replies as they go out."""
        method, parameters = call["method"], call.get("parameters", {})
        self.calls.append((name, method, parameters))
        reply = self.replies[method]
        if callable(reply):
            reply = reply(parameters)
        if reply is None:
            return None
        before, last = (reply[:-1], reply[-1]) if isinstance(reply, list) else ([], reply)
        if not call.get("more"):
            before = []
        if not ("error" in last and "parameters" in last):
            last = {"parameters": last}
        return [*({"parameters": event, "continues": True} for event in before), last]
