# SPDX-License-Identifier: MIT
"""Socket options seen on the descriptors that come, and on the wire; sockets to listen on; and the
first byte as what counts.

Most of it needs root and the rig: daemon and client sit in the client namespace and have a role with
all the words. What an option does is looked at where the kernel has it, on the received descriptor,
and where others see it: a route that a mark forbids, a router that lets one class of traffic
through, a peer that has multipath TCP itself.
"""

import contextlib
import errno
import os
import socket
import struct
import subprocess

import pytest

import wire
from conftest import RIG_PORT
from daemon import tool, wait_for
from needs import require
from peers import Greeter, can_bind
from rig import SERVER4, run
from wire import Client

WORDS = ("bindAddress", "bindPort", "bindDevice", "mark", "typeOfService", "priority", "multipath",
         "fastOpen")
ROLE = "[Role all]\nMatch=netns:same\nMode=open\n"
ALL = ROLE + f"Options={' '.join(WORDS)}\n"
HOSTS = "2001:db8:0:10::1 dual.test\n198.18.16.1 dual.test\n" \
        "2001:db8:0:11::1 silent6.test\n198.18.16.1 silent6.test\n"
PEER4, PEER6 = "198.18.16.1", "2001:db8:0:10::1"
MS = 1000

SO_BINDTODEVICE, SO_PRIORITY, SO_MARK, SO_PROTOCOL = 25, 12, 36, 38
TCP_FASTOPEN_CONNECT = 30
IPPROTO_MPTCP, SOL_MPTCP, MPTCP_INFO = 262, 284, 1

# A value for each privileged option that works in the client namespace.
GOOD = {"bindAddress": "198.18.0.2", "bindPort": 23456, "bindDevice": "up0", "mark": 7,
        "typeOfService": 0xb8, "priority": 5, "multipath": True, "fastOpen": True}


@pytest.fixture
def rigged(rig, start):
    """A function that starts a daemon in the client namespace and answers a client of the same."""
    with contextlib.ExitStack() as stack:
        def start_rigged(policy=ALL, **keywords):
            prefix = [*rig.inside(rig.client), *keywords.pop("prefix", ())]
            daemon = start(policy, hosts=HOSTS, prefix=prefix, **keywords)
            with rig.entered(rig.client):
                return stack.enter_context(Client(daemon.socket, timeout=40))

        yield start_rigged


@pytest.fixture
def second_addresses(rig):
    """The way back to the other addresses of the client."""
    routes = ("198.18.40.0/24 via 198.18.0.2", "2001:db8:0:40::/64 via 2001:db8:0:c::2")
    rig.ip(rig.router, *(f"route add {route}" for route in routes))
    yield
    rig.ip(rig.router, *(f"route del {route}" for route in routes))


@contextlib.contextmanager
def setting(rig, name, value):
    """Another value of a setting of the client namespace, for a while."""
    path = f"/proc/sys/{name}"
    before = run(*rig.inside(rig.client), "cat", path).strip()
    run(*rig.inside(rig.client), "sh", "-ec", f"echo '{value}' > {path}")
    try:
        yield
    finally:
        run(*rig.inside(rig.client), "sh", "-ec", f"echo '{before}' > {path}")


@contextlib.contextmanager
def connected(client, host, service=RIG_PORT, **parameters):
    """A connection that has been greeted, as (reply, socket)."""
    reply, connection = client.connect(host, service, **parameters)
    with connection:
        connection.settimeout(5)
        assert connection.recv(100) == b"greetings\n"
        yield reply, connection


def fails(client, host, service=RIG_PORT, **parameters):
    """The error of a connection that must fail."""
    with pytest.raises(wire.CallError) as caught:
        _, connection = client.connect(host, service, **parameters)
        connection.close()
    return caught.value


def failed_with(error, name, option=None):
    """Whether it is ConnectFailed with this errno, and about this option."""
    assert error.name == wire.CONNECT_FAILED, error
    assert error.parameters["errno"] == name, error
    assert error.parameters.get("option") == option, error
    return True


def invalid(error, parameter):
    """Whether it is InvalidParameter with this path."""
    assert error.name == wire.INVALID_PARAMETER, error
    return error.parameters == {"parameter": parameter}


def denied(error, stage, option=None):
    """Whether it is a denial at this stage, and of this option."""
    assert error.name == wire.DENIED, error
    assert error.parameters["stage"] == stage, error
    return error.parameters.get("option") == option


# Each option


def test_bind_address(rigged, second_addresses):
    client = rigged()
    for peer, address in ((PEER4, "198.18.40.6"), (PEER6, "2001:db8:0:40::5"),
                          (PEER4, "::ffff:198.18.40.5")):
        with connected(client, peer, options={"bindAddress": address}) as (reply, connection):
            assert connection.getsockname()[0] == address.removeprefix("::ffff:")
            assert reply["local"]["address"] == connection.getsockname()[0]


def test_bind_address_of_one_family_leaves_the_other_out(rigged):
    with connected(rigged(), "dual.test", options={"bindAddress": "198.18.0.2"}) as (reply, _):
        first, second = reply["attempts"]
        assert first["endpoint"]["address"] == PEER6
        assert (first["outcome"], first["error"]) == ("failed", "EADDRNOTAVAIL")
        assert first["option"] == "bindAddress"
        assert second["endpoint"]["address"] == PEER4
        assert second["outcome"] == "connected"
        assert "option" not in second
        assert reply["totalUsec"] < 200 * MS


def test_bind_address_that_is_not_ours(rigged):
    client = rigged()
    for address in (SERVER4, "192.0.2.1"):
        assert failed_with(fails(client, PEER4, options={"bindAddress": address}), "EADDRNOTAVAIL",
                           "bindAddress")


@pytest.mark.parametrize("address", ["", "example.org", "localhost", "198.18.0.2:80", "unix/",
                                     "fe80::1%nosuchdevice", "198.18.0.0/24"])
def test_bind_address_is_a_literal(rigged, address):
    assert invalid(fails(rigged(), PEER4, options={"bindAddress": address}), "options.bindAddress")


def test_bind_port(rigged):
    client = rigged()
    for peer in (PEER4, PEER6):
        with connected(client, peer, options={"bindPort": 23450}) as (reply, connection):
            assert connection.getsockname()[1] == 23450
            assert reply["local"]["port"] == 23450


def test_attempts_of_one_race_share_the_port(rigged):
    # The first one is still waiting for an answer while the second one connects.
    with connected(rigged(), "silent6.test", options={"bindPort": 23451}) as (reply, connection):
        assert [attempt["outcome"] for attempt in reply["attempts"]] == ["cancelled", "connected"]
        assert connection.getsockname()[1] == 23451


def test_bind_port_that_is_taken(rigged, rig):
    client = rigged()
    with rig.entered(rig.client):
        listener = socket.create_server(("0.0.0.0", 23452))
    with listener:
        assert failed_with(fails(client, PEER4, options={"bindPort": 23452}), "EADDRINUSE",
                           "bindPort")


def test_bind_port_that_leads_there_already(rigged):
    client = rigged()
    with connected(client, PEER4, options={"bindPort": 23453}):
        assert failed_with(fails(client, PEER4, options={"bindPort": 23453}), "EADDRNOTAVAIL",
                           "bindPort")


def test_bind_device(rigged):
    client = rigged()
    for peer in (PEER4, PEER6):
        with connected(client, peer, options={"bindDevice": "up0"}) as (_, connection):
            assert connection.getsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, 16) == b"up0\0"
    assert failed_with(fails(client, PEER4, options={"bindDevice": "nosuchdevice"}), "ENODEV",
                       "bindDevice")


@pytest.mark.parametrize("name", ["", "sixteencharacter"])
def test_bind_device_is_a_name(rigged, name):
    assert invalid(fails(rigged(), PEER4, options={"bindDevice": name}), "options.bindDevice")


def test_mark(rigged, rig):
    client = rigged()
    for mark in (0, 7, 0xffffffff):
        with connected(client, PEER4, options={"mark": mark}) as (_, connection):
            assert connection.getsockopt(socket.SOL_SOCKET, SO_MARK) & 0xffffffff == mark
    rig.ip(rig.client, "rule add fwmark 0x2a prohibit")
    try:
        # It is there before the route is looked for.
        assert failed_with(fails(client, PEER4, options={"mark": 0x2a}), "EACCES")
    finally:
        rig.ip(rig.client, "rule del fwmark 0x2a prohibit")


def test_type_of_service(rigged, faults):
    client = rigged()
    faults("ip daddr 198.18.16.9 ip dscp != ef meta l4proto tcp reject with tcp reset")
    faults("ip6 daddr 2001:db8:0:10::9 ip6 dscp != ef meta l4proto tcp reject with tcp reset")
    for peer, level, option in (("198.18.16.9", socket.IPPROTO_IP, socket.IP_TOS),
                                ("2001:db8:0:10::9", socket.IPPROTO_IPV6, socket.IPV6_TCLASS)):
        assert failed_with(fails(client, peer), "ECONNREFUSED")
        # The first packet has it.
        with connected(client, peer, options={"typeOfService": 0xb8}) as (_, connection):
            assert connection.getsockopt(level, option) == 0xb8


def test_type_of_service_has_no_ecn_over_tcp(rigged):
    client = rigged()
    assert failed_with(fails(client, PEER4, options={"typeOfService": 0xb9}), "EINVAL",
                       "typeOfService")
    _, datagrams = client.connect(PEER4, 9, protocol="udp", options={"typeOfService": 0xb9})
    with datagrams:
        assert datagrams.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xb9


def test_priority(rigged):
    client = rigged()
    # Though the class of traffic has a priority of its own.
    options = {"priority": 5, "typeOfService": 0x10}
    with connected(client, PEER4, options=options) as (_, connection):
        assert connection.getsockopt(socket.SOL_SOCKET, SO_PRIORITY) == 5


def test_priority_and_mark_that_the_daemon_may_not_set(rigged):
    client = rigged(prefix=["setpriv", "--bounding-set=-net_admin,-net_raw"])
    for option, value in (("priority", 7), ("mark", 1)):
        assert failed_with(fails(client, PEER4, options={option: value}), "EPERM", option)
    with connected(client, PEER4, options={"priority": 6}):
        pass


def require_mptcp():
    """What test_multipath… need of the kernel."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError:
        require(False, "needs a kernel with multipath TCP")


def test_multipath_falls_back(rigged):
    require_mptcp()
    client = rigged()
    for peer in (PEER4, PEER6):
        with connected(client, peer, options={"multipath": True}) as (_, connection):
            assert connection.getsockopt(socket.SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP
            with pytest.raises(OSError):
                connection.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)


def test_multipath_with_a_peer_that_has_it(rigged, rig):
    require_mptcp()
    client = rigged()
    with rig.entered(rig.server):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    with listener:
        listener.bind(("198.18.16.3", 0))
        listener.listen()
        _, connection = client.connect("198.18.16.3", listener.getsockname()[1],
                                       options={"multipath": True, "noDelay": True})
        with connection, listener.accept()[0] as accepted:
            accepted.sendall(b"x")
            assert connection.recv(1) == b"x"
            info = connection.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
            assert struct.unpack_from("=I", info, 8)[0] & 1 == 0, "fallen back"
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_multipath_that_the_kernel_has_not(rigged, rig):
    require_mptcp()
    client = rigged()
    with setting(rig, "net/mptcp/enabled", 0):
        assert failed_with(fails(client, PEER4, options={"multipath": True}), "EPROTONOSUPPORT",
                           "multipath")


def test_fast_open(rigged, rig):
    client = rigged()
    with setting(rig, "net/ipv4/tcp_fastopen", 1):
        for host in (PEER4, f"[{PEER6}]"):
            with connected(client, host, options={"fastOpen": True}) as (_, connection):
                assert connection.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT) == 1
    with setting(rig, "net/ipv4/tcp_fastopen", 0):
        assert failed_with(fails(client, PEER4, options={"fastOpen": True}), "EOPNOTSUPP",
                           "fastOpen")


def test_fast_open_with_a_cookie_sends_the_first_words_in_the_syn(rigged, rig):
    client = rigged()
    with rig.entered(rig.server):
        run("sh", "-ec", "echo 3 > /proc/sys/net/ipv4/tcp_fastopen")
        listener = socket.create_server(("198.18.16.4", 0))
    with listener, setting(rig, "net/ipv4/tcp_fastopen", 1):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
        for _ in range(2):
            _, connection = client.connect("198.18.16.4", listener.getsockname()[1],
                                           options={"fastOpen": True})
            with connection:
                connection.sendall(b"first")
                with listener.accept()[0] as accepted:
                    assert accepted.recv(10) == b"first"
                # TCP_INFO: tcpi_options is the sixth byte, 32: the SYN's data were acknowledged.
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
        assert info[5] & 32


def test_fast_open_is_for_one_address(rigged):
    client = rigged()
    assert invalid(fails(client, "dual.test", options={"fastOpen": True}), "options.fastOpen")
    assert invalid(fails(client, "localhost", options={"fastOpen": True}), "options.fastOpen")
    assert invalid(fails(client, PEER4, options={"fastOpen": True}, success="firstByte"),
                   "options.fastOpen")


def test_congestion_that_the_kernel_has_not(rigged):
    error = fails(rigged(), "dual.test", options={"congestion": "nosuchthing"})
    assert failed_with(error, "ENOENT", "congestion")
    assert [attempt["option"] for attempt in error.parameters["attempts"]] == ["congestion"] * 2


@pytest.mark.parametrize("option,value", [
    ("noDelay", True), ("keepAlive", {}), ("congestion", "reno"), ("userTimeoutUsec", 1000000),
    ("multipath", True), ("fastOpen", True),
])
def test_options_of_tcp_are_not_for_others(rigged, option, value):
    client = rigged()
    for protocol in ("udp", "sctp"):
        assert failed_with(fails(client, PEER4, protocol=protocol, options={option: value}),
                           "EOPNOTSUPP", option)


def test_options_of_every_transport(rigged):
    options = {"bindAddress": "198.18.0.2", "bindPort": 23454, "bindDevice": "up0", "mark": 7,
               "typeOfService": 0x20, "priority": 2, "sendBuffer": 20000, "receiveBuffer": 30000}
    reply, datagrams = rigged().connect(PEER4, 9, protocol="udp", options=options)
    with datagrams:
        assert datagrams.type == socket.SOCK_DGRAM
        assert datagrams.getpeername() == (PEER4, 9)
        assert datagrams.getsockname() == ("198.18.0.2", 23454)
        assert reply["local"]["port"] == 23454
        assert datagrams.getsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, 16) == b"up0\0"
        for option, value in ((SO_MARK, 7), (SO_PRIORITY, 2), (socket.SO_SNDBUF, 2 * 20000),
                              (socket.SO_RCVBUF, 2 * 30000), (socket.SO_REUSEADDR, 0)):
            assert datagrams.getsockopt(socket.SOL_SOCKET, option) == value
        assert datagrams.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x20


def test_sctp_where_the_kernel_has_none(rigged):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).close()
    except OSError as error:
        assert error.errno == errno.EPROTONOSUPPORT
        assert failed_with(fails(rigged(), PEER4, protocol="sctp"), "EPROTONOSUPPORT")
    else:
        assert failed_with(fails(rigged(), PEER4, protocol="sctp"), "ECONNREFUSED")


# The words of a role


@pytest.mark.parametrize("option", WORDS)
def test_each_option_needs_its_own_word(rigged, rig, option):
    others = " ".join(word for word in WORDS if word != option)
    client = rigged(ROLE + f"Options={others}\n")
    assert denied(fails(client, PEER4, options={option: GOOD[option]}), "option", option)
    assert denied(fails(client, PEER4, options=GOOD), "option", option)
    client = rigged(ROLE + f"Options={option}\n")
    with setting(rig, "net/ipv4/tcp_fastopen", 1), \
            connected(client, PEER4, options={option: GOOD[option]}):
        pass


# The first byte


def test_first_byte_passes_over_a_silent_peer(rigged, rig):
    client = rigged()
    with rig.entered(rig.server):
        silent = socket.create_server(("::", 0), family=socket.AF_INET6)
        port = silent.getsockname()[1]
        greeter = Greeter(PEER4, port)
    with silent, greeter:
        # Without a wish the delay would follow what is known of the way.
        reply, connection = client.connect("dual.test", port, success="firstByte",
                                           attemptDelayUsec=300 * MS)
        with connection:
            # Nobody has taken the byte.
            assert connection.recv(100) == b"greetings\n"
            assert connection.getpeername()[0] == PEER4
        assert [attempt["outcome"] for attempt in reply["attempts"]] == ["cancelled", "connected"]
        assert 300 * MS < reply["totalUsec"] < 1500 * MS
        # The handshake was enough for who did not say.
        for success in ({}, {"success": "connected"}):
            _, connection = client.connect("dual.test", port, **success)
            with connection:
                assert connection.getpeername()[0] == PEER6


def test_first_byte_goes_on_at_once_behind_who_closes(rigged, rig):
    client = rigged()
    with rig.entered(rig.server):
        closing = socket.create_server(("::", 0), family=socket.AF_INET6)
        port = closing.getsockname()[1]
        greeter = Greeter(PEER4, port)
    with closing, greeter:
        client.send(wire.CONNECT, {"host": "dual.test", "service": str(port),
                                   "success": "firstByte", "attemptDelayUsec": 2000 * MS})
        closing.accept()[0].close()
        reply, connection = client.receive()
        connection.close()
        reply = wire.result(reply)
        assert reply["attempts"][0]["error"] == "ECONNRESET"
        assert reply["peer"]["address"] == PEER4
        assert reply["totalUsec"] < 1500 * MS


def test_first_byte_of_nobody(start):
    with Client(start().socket) as client, socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = fails(client, "127.0.0.1", port, success="firstByte", timeoutUsec=200 * MS)
        assert error.name == wire.TIMED_OUT
        assert error.parameters["stage"] == "connect"


def test_first_byte_is_of_tcp(start):
    with Client(start().socket) as client:
        for protocol in ("udp", "sctp"):
            assert invalid(fails(client, "127.0.0.1", 9, success="firstByte", protocol=protocol),
                           "success")
        assert invalid(fails(client, "127.0.0.1", 9, success="secondByte"), "success")


# Bind


def bind_fails(client, **parameters):
    """The error of a Bind that must fail."""
    with pytest.raises(wire.CallError) as caught:
        _, listener = client.bind(**parameters)
        listener.close()
    return caught.value


def talk(listener, peer, family=None):
    """Connects to a listening socket at this address, and sees that it is the same."""
    address = (peer, listener.getsockname()[1])
    with socket.create_connection(address, timeout=5) as connection:
        listener.settimeout(5)
        with listener.accept()[0] as accepted:
            assert family in (None, accepted.family)
            accepted.sendall(b"hello")
            assert connection.recv(10) == b"hello"


def test_bind_accepts_connections(rigged, rig):
    client = rigged(ROLE + "Allow=listen tcp 198.18.0.2:* [2001:db8:0:c::2]:8080\n")
    for host, service in (("198.18.0.2", "0"), ("198.18.0.2", None), ("2001:db8:0:c::2", "8080"),
                          ("[2001:db8:0:c::2]", "http-alt")):
        parameters = {"host": host} if service is None else {"host": host, "service": service}
        reply, listener = client.bind(**parameters)
        with listener:
            assert os.get_blocking(listener.fileno())
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
            assert reply["seal"] == []
            assert reply["local"] == {"family": "inet6" if ":" in host else "inet",
                                      "address": host.strip("[]"),
                                      "port": listener.getsockname()[1]}
            # From outside.
            with rig.entered(rig.server):
                talk(listener, host.strip("[]"))


def test_bind_outlives_the_daemon_and_the_connection(start):
    require_loopback6()
    daemon = start(ROLE + "Allow=listen tcp *:*\n")
    with Client(daemon.socket) as client:
        _, listener = client.bind(host="::1")
    daemon.stop()
    with listener:
        talk(listener, "::1")


def require_loopback6():
    """IPv6 on loopback."""
    require(can_bind("::1"), "needs IPv6 on loopback")


@pytest.mark.parametrize("host,takes4,takes6", [(None, True, True), ("::", False, True),
                                                ("0.0.0.0", True, False)])
def test_bind_to_all_addresses(start, host, takes4, takes6):
    require_loopback6()
    parameters = {} if host is None else {"host": host}
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        reply, listener = client.bind(**parameters)
        with listener:
            assert reply["local"]["address"] == (host or "::")
            for peer, taken in (("127.0.0.1", takes4), ("::1", takes6)):
                if taken:
                    talk(listener, peer)
                else:
                    with pytest.raises(ConnectionRefusedError):
                        talk(listener, peer)


def test_bind_udp(start):
    with Client(start(ROLE + "Allow=listen udp 127.0.0.1:*\n").socket) as client:
        reply, datagrams = client.bind(host="127.0.0.1", protocol="udp", blocking=False)
        with datagrams, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            assert datagrams.type == socket.SOCK_DGRAM
            assert not os.get_blocking(datagrams.fileno())
            peer.sendto(b"hello", ("127.0.0.1", reply["local"]["port"]))
            datagrams.settimeout(5)
            assert datagrams.recv(10) == b"hello"
            error = bind_fails(client, host="127.0.0.1", protocol="udp",
                               service=str(reply["local"]["port"]))
            assert failed_with(error, "EADDRINUSE")
        assert denied(bind_fails(client, host="127.0.0.1"), "address")


def test_bind_to_what_is_taken(start):
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            service = str(taken.getsockname()[1])
            error = bind_fails(client, host="127.0.0.1", service=service)
            assert failed_with(error, "EADDRINUSE")
            assert error.parameters["attempts"] == []
        assert failed_with(bind_fails(client, host="192.0.2.1"), "EADDRNOTAVAIL")
        reply, first = client.bind(host="127.0.0.1", reusePort=True)
        with first:
            service = str(reply["local"]["port"])
            assert failed_with(bind_fails(client, host="127.0.0.1", service=service), "EADDRINUSE")
            _, second = client.bind(host="127.0.0.1", service=service, reusePort=True)
            second.close()


def test_bind_below_1024_takes_the_right_to(rigged):
    policy = ROLE + "Allow=listen tcp 198.18.0.2:80\n"
    _, listener = rigged(policy).bind(host="198.18.0.2", service="http")
    with listener:
        assert listener.getsockname() == ("198.18.0.2", 80)
    client = rigged(policy, prefix=["setpriv", "--bounding-set=-net_bind_service"])
    assert failed_with(bind_fails(client, host="198.18.0.2", service="80"), "EACCES")


def test_bind_options_are_inherited(rigged, rig):
    client = rigged(ALL + "Allow=listen tcp *:*\n")
    _, listener = client.bind(host="198.18.0.2", options={
        "noDelay": True, "keepAlive": {"idleUsec": 31_000_000}, "mark": 9, "bindDevice": "up0",
        "multipath": False})
    with listener, rig.entered(rig.server), \
            socket.create_connection(listener.getsockname(), timeout=5):
        with listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 31
            assert accepted.getsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, 16) == b"up0\0"
    assert failed_with(bind_fails(client, host="198.18.0.2", options={"bindDevice": "nosuch"}),
                       "ENODEV", "bindDevice")


@pytest.mark.parametrize("policy,parameters", [
    ("", {"host": "127.0.0.1"}),
    (ROLE, {"host": "127.0.0.1", "service": "8080"}),
    ("[Policy]\nDefault=allow\n", {"host": "127.0.0.1"}),
    (ROLE + "Allow=listen tcp 127.0.0.1:8080\n", {"host": "127.0.0.1"}),
    (ROLE + "Allow=listen tcp 127.0.0.1:8080\n", {"host": "127.0.0.1", "service": "0"}),
    (ROLE + "Allow=listen tcp 127.0.0.1:8080\n", {"host": "127.0.0.1", "service": "8081"}),
    (ROLE + "Allow=listen tcp 127.0.0.1:8080\n", {"host": "127.0.0.2", "service": "8080"}),
    (ROLE + "Allow=listen tcp 127.0.0.1:8080\n", {"service": "8080"}),
    (ROLE + "Allow=listen tcp [::]:*\n", {}),
    (ROLE + "Allow=listen tcp 127.0.0.1:*\n", {"host": "127.0.0.1", "protocol": "udp"}),
    ("[Never]\nTo=127.0.0.1\n" + ROLE + "Allow=listen tcp *:*\n", {"host": "::ffff:127.0.0.1"}),
    (ROLE + "Allow=listen tcp *:*\n", {"host": "169.254.169.254"}),
])
def test_bind_is_denied_without_a_rule(start, policy, parameters):
    with Client(start(policy).socket) as client:
        assert denied(bind_fails(client, **parameters), "address")


def test_bind_by_who_may_do_nothing(start):
    with Client(start("[Policy]\nDefault=deny\n").socket) as client:
        assert denied(bind_fails(client, host="127.0.0.1"), "name")


def test_bind_option_needs_its_word(start):
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        assert denied(bind_fails(client, host="127.0.0.1", options={"mark": 1}), "option", "mark")


@pytest.mark.parametrize("parameters,parameter", [
    ({"protocol": "sctp"}, "protocol"), ({"backlog": 0}, "backlog"),
    ({"protocol": "udp", "backlog": 5}, "backlog"), ({"target": "127.0.0.1:80"}, "target"),
    ({"options": {"bindAddress": "127.0.0.1"}}, "options.bindAddress"),
    ({"options": {"bindPort": 0}}, "options.bindPort"),
    ({"options": {"fastOpen": True}}, "options.fastOpen"),
    ({"options": {"bindDevice": ""}}, "options.bindDevice"),
    ({"service": 80}, "service"), ({"reusePort": 1}, "reusePort"),
])
def test_bind_with_what_does_not_belong_there(start, parameters, parameter):
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        assert invalid(bind_fails(client, **parameters), parameter)


@pytest.mark.parametrize("host", ["localhost", "example.org", "", "fe80::1%nosuchdevice", "unix/"])
def test_bind_to_what_is_no_address(start, host):
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        error = bind_fails(client, host=host)
        assert error.name == wire.RESOLVER + ".InvalidName"
        assert error.parameters["reason"]
        assert bind_fails(client, service="no-such-service").name == \
            wire.RESOLVER + ".UnknownService"


def test_bind_cannot_be_oneway(start):
    with Client(start(ROLE + "Allow=listen tcp *:*\n").socket) as client:
        client.send(wire.BIND, {"host": "127.0.0.1"}, oneway=True)
        reply, listener = client.receive()
        assert listener is None
        assert reply["error"] == wire.INVALID_PARAMETER
        assert client.at_end()


def test_unread_sockets_count_as_descriptors_in_flight(start):
    policy = "[Limits]\nDescriptorsInFlight=2\n" + ROLE + "Allow=listen tcp *:*\n"
    daemon = start(policy)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.socket)) for _ in range(3)]
        # A user's share is half of what there is: one.
        clients[0].send(wire.BIND, {"host": "127.0.0.1"})
        wait_for(lambda: clients[0].unread() > 0, "a reply")
        error = bind_fails(clients[1], host="127.0.0.1")
        assert error.name == wire.CONNECTOR + ".LimitExceeded"
        assert error.parameters == {"limit": "DescriptorsInFlight"}
        _, listener = clients[0].receive()
        listener.close()
        _, listener = clients[2].bind(host="127.0.0.1")
        listener.close()


@pytest.mark.parametrize("text,part", [
    ("Options=mark nodelay", "\"nodelay\" is no privileged option: expected bindAddress"),
    ("Allow=listen tcp localhost:80", "\"localhost:80\" is nothing to listen on"),
    ("Allow=listen tcp *:0", "expected ports from 1 to 65535"),
    ("Allow=tcp *.example.org:443", "not supported yet"),
])
def test_mistakes_are_told(tmp_path, text, part):
    path = tmp_path / "asockd.conf"
    path.write_text(f"{ROLE}{text}\n")
    done = subprocess.run([tool("asockd"), "--config", str(path), "--check"], capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"{path}:4:" in done.stderr
    assert part in done.stderr
