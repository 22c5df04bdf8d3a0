# SPDX-License-Identifier: MIT
"""The wire: frames, order, both ways of closing, and an answer to every kind of bad input.

One daemon for the whole file. Every test ends with as many open descriptors in the daemon as it
began with, and a second client, connected all the time, notices nothing of what the first one does.
"""

import json
import os
import socket
import subprocess
import time

import pytest

import wire
from daemon import Daemon, source_dir, tool, wait_for
from needs import require_program
from peers import BlackHole, closed_port
from wire import Client, Closed

HOSTS = "127.0.0.1 here.test\n"


@pytest.fixture(scope="module")
def shared():
    """The daemon of this file."""
    with Daemon(hosts=HOSTS) as made:
        yield made


@pytest.fixture
def daemon(shared):
    """The daemon, with its descriptors counted and a bystander that must notice nothing."""
    before = shared.count_descriptors()
    with Client(shared.socket) as bystander:
        bystander.call(wire.PING)
        yield shared
        assert bystander.silent_for(0)
        assert bystander.call(wire.PING) == {}
    shared.check_descriptors(before)


@pytest.fixture
def client(daemon):
    """A connection with NUL framing."""
    with Client(daemon.socket) as made:
        yield made


def call_fails(client, method, **parameters):
    """The error of a call that has to fail."""
    with pytest.raises(wire.CallError) as caught:
        client.call(method, **parameters)
    return caught.value


def ends(client):
    """Whether the daemon closes the connection now."""
    return client.at_end()


# Frames


def test_nul_frames(client):
    assert client.call(wire.PING) == {}
    assert client.call(wire.PING) == {}


def test_lf_frames(daemon):
    with Client(daemon.socket, lf=True) as client:
        client.send_raw(b'{"method":"org.asockd.Manager.Ping"}\r\n')
        assert client.receive() == ({"parameters": {}}, None)
        assert client.call(wire.WHOAMI)["uid"] == os.geteuid()


def test_line_feed_is_white_space_after_nul(client):
    client.call(wire.PING)
    client.send_raw(b'\n{\n"method":\n"org.asockd.Manager.Ping"\n}\n\0')
    assert client.receive()[0] == {"parameters": {}}


def test_nul_closes_in_lf_mode(daemon):
    with Client(daemon.socket, lf=True) as client:
        client.call(wire.PING)
        client.send_raw(b'{"method":"org.asockd.Manager.Ping"}\0')
        reply, _ = client.receive()
        assert reply["error"] == wire.BAD_FRAME
        assert ends(client)


def test_control_socket_knows_nul_only(daemon):
    with Client(daemon.control) as client:
        assert client.call(wire.PING) == {}
    with Client(daemon.control, lf=True) as client:
        client.send(wire.PING)
        client.half_close()
        with pytest.raises(Closed):
            # No frame ends with a line feed here: what comes, if anything, is an error and a NUL.
            client.receive()
        assert b"org.asockd.Manager" not in client.buffer


def test_socat_in_lf_mode(daemon):
    require_program("socat")
    began = time.monotonic()
    done = subprocess.run(["socat", "-t", "35", "-", f"UNIX:{daemon.socket}"],
                          input=b'{"method":"org.asockd.Manager.Ping"}\n', capture_output=True,
                          check=True, timeout=30)
    assert json.loads(done.stdout) == {"parameters": {}}
    assert done.stdout.endswith(b"\n") and done.stdout.count(b"\n") == 1
    assert time.monotonic() - began < 10


def test_socat_sees_a_connect_reply(daemon, greeter):
    require_program("socat")
    call = {"method": wire.CONNECT, "parameters": {"target": f"here.test:{greeter.port}"}}
    done = subprocess.run(["socat", "-t", "35", "-", f"UNIX:{daemon.socket}"],
                          input=json.dumps(call).encode() + b"\n", capture_output=True, check=True,
                          timeout=30)
    assert json.loads(done.stdout)["parameters"]["peer"]["port"] == greeter.port


def test_slow_writer_is_served(client):
    for byte in client.encode(wire.PING):
        client.send_raw(bytes([byte]))
        time.sleep(0.005)
    assert client.receive()[0] == {"parameters": {}}


@pytest.mark.slow
def test_unfinished_frame_is_closed_after_30_s(daemon):
    with Client(daemon.socket, timeout=40) as client:
        client.send_raw(b'{"method":')
        began = time.monotonic()
        with pytest.raises((Closed, wire.CallError)):
            wire.result(client.receive()[0])
        assert 28 < time.monotonic() - began < 36


# Service and introspection


def test_get_info(client):
    info = client.call(wire.SERVICE + ".GetInfo")
    version = subprocess.run([tool("asockd"), "--version"], capture_output=True, text=True,
                             check=True).stdout
    assert info["vendor"] == "asockd"
    assert info["product"] == "asockd"
    assert info["version"] in version
    assert isinstance(info["url"], str)
    assert sorted(info["interfaces"]) == sorted(
        [wire.CONNECTOR, wire.MANAGER, wire.RESOLVER, wire.SERVICE])


@pytest.mark.parametrize("interface",
                         [wire.CONNECTOR, wire.MANAGER, wire.RESOLVER, wire.SERVICE])
def test_interface_description_is_the_file(client, interface):
    reply = client.call(wire.SERVICE + ".GetInterfaceDescription", interface=interface)
    expected = (source_dir() / "protocol" / f"{interface}.varlink").read_text()
    assert reply["description"].strip() == expected.strip()


def test_unknown_interface_and_method(client):
    error = call_fails(client, "org.example.Nothing.Do")
    assert error.name == wire.SERVICE + ".InterfaceNotFound"
    assert error.parameters == {"interface": "org.example.Nothing"}
    error = call_fails(client, wire.CONNECTOR + ".Dance")
    assert error.name == wire.SERVICE + ".MethodNotFound"
    assert error.parameters["method"].endswith("Dance")
    error = call_fails(client, wire.SERVICE + ".GetInterfaceDescription", interface="org.example")
    assert error.name == wire.SERVICE + ".InterfaceNotFound"
    assert client.call(wire.PING) == {}


def test_whoami(client):
    me = client.call(wire.WHOAMI)
    assert me["uid"] == os.geteuid()
    assert me["gid"] == os.getegid()
    assert me["pid"] == os.getpid()
    assert me["netns"] == "same"


# Parameters

GOOD = {"host": "here.test", "service": "1"}


@pytest.mark.parametrize("field,parameters", [
    ("bogus", {**GOOD, "bogus": 1}),
    ("host", {**GOOD, "host": 5}),
    ("service", {**GOOD, "service": 80}),
    ("family", {**GOOD, "family": "inet5"}),
    ("family", {**GOOD, "family": 4}),
    ("protocol", {**GOOD, "protocol": "icmp"}),
    ("timeoutUsec", {**GOOD, "timeoutUsec": "1000"}),
    ("timeoutUsec", {**GOOD, "timeoutUsec": 1.5}),
    ("timeoutUsec", {**GOOD, "timeoutUsec": 0}),
    ("timeoutUsec", {**GOOD, "timeoutUsec": -1}),
    ("attemptDelayUsec", {**GOOD, "attemptDelayUsec": True}),
    ("blocking", {**GOOD, "blocking": 1}),
    ("blocking", {**GOOD, "blocking": "false"}),
    ("options", {**GOOD, "options": []}),
    ("options.noDelay", {**GOOD, "options": {"noDelay": "yes"}}),
    ("options.bogus", {**GOOD, "options": {"bogus": True}}),
    ("options.keepAlive.idleUsec", {**GOOD, "options": {"keepAlive": {"idleUsec": "1"}}}),
    ("service", {"host": "here.test"}),
])
def test_invalid_parameter_names_the_field(client, field, parameters):
    error = call_fails(client, wire.CONNECT, **parameters)
    assert error.name == wire.INVALID_PARAMETER
    assert error.parameters == {"parameter": field}
    assert client.call(wire.PING) == {}


@pytest.mark.parametrize("parameters", [{}, {**GOOD, "target": "here.test:1"}])
def test_either_target_or_host_and_service(client, parameters):
    error = call_fails(client, wire.CONNECT, **parameters)
    assert error.name == wire.INVALID_PARAMETER
    assert error.parameters["parameter"] in ("target", "host")


def test_parameters_of_a_method_without_any(client):
    error = call_fails(client, wire.PING, really=True)
    assert error.name == wire.INVALID_PARAMETER
    assert error.parameters == {"parameter": "really"}


def test_null_is_absent(client, greeter):
    reply, connection = client.connect("here.test", greeter.port, target=None, family=None,
                                       options=None, timeoutUsec=None)
    with connection:
        assert connection.recv(100) == b"greetings\n"
    assert "scope" not in reply["peer"]


# Descriptors


def test_descriptor_comes_connected_and_blocking(client, greeter):
    reply, connection = client.connect("127.0.0.1", greeter.port)
    with connection:
        assert connection.getpeername() == ("127.0.0.1", greeter.port)
        assert os.get_blocking(connection.fileno())
        assert connection.recv(100) == b"greetings\n"
    assert reply["peer"] == {"family": "inet", "address": "127.0.0.1", "port": greeter.port}
    assert reply["local"]["address"] == "127.0.0.1"
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["connected"]
    assert reply["attempts"][0]["source"] == "literal"
    assert 0 < reply["totalUsec"] < 5_000_000


def test_descriptor_without_blocking(client, greeter):
    _, connection = client.connect("127.0.0.1", greeter.port, blocking=False)
    with connection:
        assert not os.get_blocking(connection.fileno())


def test_a_byte_stream_reader_gets_the_reply_without_the_descriptor(daemon, greeter):
    with Client(daemon.socket) as client:
        client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
        data = b""
        while not data.endswith(b"\0"):
            data += client.socket.recv(4096)
        assert json.loads(data[:-1])["parameters"]["fileDescriptor"] == 0


def test_second_descriptor_waits_until_the_first_was_read(client, greeter):
    call = client.encode(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
    client.send_raw(call + call)
    wait_for(lambda: client.unread() > 0, "the first reply")
    time.sleep(0.5)
    first = client.socket.recv(65536, socket.MSG_PEEK)
    assert first.count(b"\0") == 1
    assert client.unread() == len(first)
    for _ in range(2):
        reply, connection = client.receive()
        with connection:
            assert connection.getpeername()[1] == reply["parameters"]["peer"]["port"]


def test_client_that_never_reads_leaves_nothing_behind(daemon, greeter):
    client = Client(daemon.socket)
    call = client.encode(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
    client.send_raw(call * 8)
    wait_for(lambda: client.unread() > 0, "the first reply")
    client.socket.close()


def test_descriptor_nobody_asked_for(client, daemon):
    client.call(wire.PING)  # from here on the daemon has accepted it
    before = daemon.count_descriptors()
    with open("/dev/null", "rb") as gift:
        for _ in range(16):
            try:
                socket.send_fds(client.socket, [client.encode(wire.PING)], [gift.fileno()] * 3)
            except PermissionError:
                # The kernel keeps them away (SO_PASSRIGHTS, 6.16).
                client.send(wire.PING)
    for _ in range(16):
        assert client.receive() == ({"parameters": {}}, None)
    daemon.check_descriptors(before)


# Order and ends


def test_calls_sent_ahead_are_answered_in_order(client):
    refused = {"host": "127.0.0.1", "service": str(closed_port())}
    client.send_raw(client.encode(wire.CONNECT, refused) + client.encode(wire.PING)
                    + client.encode(wire.CONNECTOR + ".Dance") + client.encode(wire.WHOAMI))
    assert client.receive()[0]["error"] == wire.CONNECT_FAILED
    assert client.receive()[0] == {"parameters": {}}
    assert client.receive()[0]["error"].endswith("MethodNotFound")
    assert "uid" in client.receive()[0]["parameters"]


def test_hundred_pings_in_one_write(client):
    client.send_raw(client.encode(wire.PING) * 100)
    for _ in range(100):
        assert client.receive() == ({"parameters": {}}, None)
    assert client.silent_for(0.05)


def test_oneway_has_no_reply(client):
    client.send(wire.PING, oneway=True)
    client.send(wire.WHOAMI)
    assert "uid" in client.receive()[0]["parameters"]
    assert client.silent_for(0.05)


def test_oneway_connect_is_refused(client, daemon, greeter):
    client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)}, oneway=True)
    client.half_close()
    with pytest.raises((wire.CallError, Closed)):
        wire.result(client.receive()[0])
    with Client(daemon.socket) as other:
        other.call(wire.PING)
    assert greeter.accepted == 0


@pytest.mark.parametrize("key,value", [("upgrade", True), ("bogus", 1), ("id", 7), ("more", "yes"),
                                       ("oneway", 0), ("parameters", [])])
def test_unknown_words_beside_the_method_are_refused(client, key, value):
    client.send(wire.PING, **{key: value})
    assert client.receive()[0] == {"error": wire.INVALID_PARAMETER,
                                   "parameters": {"parameter": key}}
    assert client.call(wire.PING) == {}


def test_half_close_gets_the_answer(client, greeter):
    client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
    client.half_close()
    reply, connection = client.receive()
    with connection:
        assert reply["parameters"]["peer"]["port"] == greeter.port
        assert connection.recv(100) == b"greetings\n"
    assert ends(client)


def test_half_close_does_not_cancel_what_hangs(client):
    with BlackHole() as hole:
        client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(hole.port),
                                   "timeoutUsec": 300_000})
        client.half_close()
        reply, _ = client.receive()
        assert reply["error"] == wire.TIMED_OUT
        assert ends(client)


def test_full_close_cancels(daemon):
    with BlackHole() as hole:
        idle = daemon.count_descriptors()
        client = Client(daemon.socket)
        client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(hole.port)})
        # The client's connection and the attempt's socket.
        wait_for(lambda: daemon.count_descriptors() == idle + 2, "the attempt")
        client.close()
        wait_for(lambda: daemon.count_descriptors() == idle, "the end of the attempt", 3)


def test_silence_is_never_closed(daemon):
    with Client(daemon.socket) as silent, Client(daemon.socket) as used:
        used.call(wire.PING)
        assert silent.silent_for(1.5)
        assert used.silent_for(0)
        assert silent.call(wire.PING) == {}
        assert used.call(wire.PING) == {}


# Bad input


def nested(depth):
    """A call nested so deep in all: the call itself, its parameters, then arrays."""
    inner = "[" * (depth - 2) + "]" * (depth - 2)
    return f'{{"method":"{wire.PING}","parameters":{{"deep":{inner}}}}}'.encode()


BAD = {
    "no JSON": b"hello",
    "half an object": b'{"method":"org.asockd.Manager.Ping"',
    "more behind the object": b'{"method":"org.asockd.Manager.Ping"} {}',
    "an array": b'["org.asockd.Manager.Ping"]',
    "a string": b'"org.asockd.Manager.Ping"',
    "no method": b'{"parameters":{}}',
    "a method that is no string": b'{"method":5}',
    "a duplicate key": b'{"method":"org.asockd.Manager.Ping","method":"org.asockd.Manager.Ping"}',
    "a duplicate key inside": b'{"method":"org.asockd.Connector.Connect",'
                              b'"parameters":{"host":"a","host":"b","service":"1"}}',
    "NUL in a string": b'{"method":"org.asockd.Connector.Connect",'
                       b'"parameters":{"host":"here.test\\u0000.example","service":"1"}}',
    "NUL in a key": b'{"method":"org.asockd.Manager.Ping","parameters":{"a\\u0000":1}}',
    "text that is no UTF-8": b'{"method":"org.asockd.Manager.Ping\xff"}',
    "depth 17": nested(17),
    "too long": b'{"method":"' + b"x" * 66000 + b'"}',
}


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("lf", [False, True], ids=["NUL", "LF"])
def test_bad_frame_is_answered_and_closed(daemon, frame, lf):
    with Client(daemon.socket, lf=lf) as client:
        client.call(wire.PING)  # what ends a message is decided, also for one that has no end
        try:
            client.send_raw(frame + client.end)
        except BrokenPipeError:
            pass
        reply, _ = client.receive()
        assert reply["error"] == wire.BAD_FRAME
        assert reply["parameters"]["reason"]
        assert ends(client)


def test_depth_16_is_no_bad_frame(client):
    client.send_raw(nested(16) + b"\0")
    reply, _ = client.receive()
    assert reply == {"error": wire.INVALID_PARAMETER, "parameters": {"parameter": "deep"}}


def test_frame_without_an_end_is_refused_at_64_kib(daemon):
    with Client(daemon.socket) as client:
        try:
            client.send_raw(b'{"method":"' + b"x" * (1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply, _ = client.receive()
        assert reply["error"] == wire.BAD_FRAME
        assert ends(client)


def test_large_frame_within_the_limit(client):
    client.send(wire.PING, {"long": "x" * 60000})
    assert client.receive()[0]["error"] == wire.INVALID_PARAMETER
    assert client.call(wire.PING) == {}


def test_answers_before_the_bad_frame_are_delivered(client):
    client.send_raw(client.encode(wire.PING) * 3 + b"hello\0" + client.encode(wire.PING))
    for _ in range(3):
        assert client.receive() == ({"parameters": {}}, None)
    assert client.receive()[0]["error"] == wire.BAD_FRAME
    assert ends(client)


def test_many_clients_come_and_go(daemon, greeter):
    clients = [Client(daemon.socket) for _ in range(100)]
    for number, client in enumerate(clients):
        if number % 3 == 0:
            client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
        elif number % 3 == 1:
            client.send_raw(b'{"meth')
    for client in clients:
        client.close()
    with Client(daemon.socket) as client:
        assert client.call(wire.PING) == {}


# Resolver


def test_resolve_a_literal_and_a_name_of_the_hosts_file(client):
    reply = client.call(wire.RESOLVE, host="192.0.2.7", service="http")
    assert reply["endpoints"] == [{"family": "inet", "address": "192.0.2.7", "port": 80}]
    assert reply["source"] == "literal"
    reply = client.call(wire.RESOLVE, host="HERE.test")
    assert reply["endpoints"] == [{"family": "inet", "address": "127.0.0.1"}]
    assert reply["source"] == "hosts"
    assert reply["name"] == "here.test"


def test_resolve_errors(client):
    error = call_fails(client, wire.RESOLVE, host="elsewhere.test")
    assert error.name == wire.RESOLVER + ".NoServers"
    error = call_fails(client, wire.RESOLVE, host="here.test", service="no-such-service")
    assert error.name == wire.RESOLVER + ".UnknownService"
    assert error.parameters == {"service": "no-such-service"}
    error = call_fails(client, wire.RESOLVE, host="a..b")
    assert error.name == wire.RESOLVER + ".InvalidName"
    assert error.parameters["reason"]
    error = call_fails(client, wire.RESOLVE, host="here.test", family="inet6")
    assert error.name == wire.RESOLVER + ".NoData"


def test_reply_with_a_descriptor_is_at_most_4_kib(start, greeter):
    # Twelve attempts at so long a name do not fit: the winner, which is the last, has to stay.
    name = ".".join(["x" * 63] * 3 + ["y" * 57, "te"])
    addresses = [f"127.0.0.{n}" for n in range(2, 17)] + ["127.0.0.1"]
    daemon = start(hosts="".join(f"{address} {name}\n" for address in addresses))
    with Client(daemon.socket) as client:
        client.send(wire.CONNECT, {"host": name, "service": str(greeter.port)})
        data, fds, _, _ = socket.recv_fds(client.socket, 65536, 4)
    assert len(fds) == 1
    socket.close(fds[0])
    assert len(data) <= 4096 and data.endswith(b"\0")
    reply = json.loads(data[:-1])["parameters"]
    assert reply["attemptsOmitted"] == 16 - len(reply["attempts"]) > 0
    assert [a["outcome"] for a in reply["attempts"]].count("connected") == 1
    assert reply["attempts"][-1]["endpoint"]["address"] == "127.0.0.1"
