# SPDX-License-Identifier: MIT
"""A network with IPv6 alone whose router reaches IPv4 addresses for it (NAT64).

Two namespaces: the client, which has no IPv4, and the network, which is its router, its name server
(NSD) and everything that is reached. The network owns the translators' prefixes as a whole, so a
connection to any address in one succeeds; what arrives shows how the address was made. IPv4
addresses stand for hosts that nobody can reach without a translator.
"""

import contextlib
import os
import socket
import struct
import time

import pytest

from conftest import RIG_PORT
from daemon import wait_for
from needs import require_program, require_root
from nsd import Nsd
from rig import Rig, run
from wire import DENIED, DUMP_CACHE, CONNECT_FAILED, CallError, Client

ROUTER = "2001:db8:c::1"
WELL_KNOWN = "64:ff9b::"
OWN = "2001:db8:64::"  # a prefix of the network's own, 96 bits
ASKED = "ipv4only.arpa"

EXAMPLE = f"""\
$ORIGIN example.test.
$TTL 60
@           SOA   ns hostmaster 1 3600 600 86400 60
@           NS    ns
ns          AAAA  {ROUTER}
v4only      A     11.0.0.1
both        A     11.0.0.2
both        AAAA  {ROUTER}
own64       A     11.0.0.3
own64       AAAA  {OWN}b00:3
private     A     10.0.0.1
metadata    A     169.254.169.254
_web._tcp.service SRV 0 0 {RIG_PORT} target
target      A     11.0.0.4
"""

ARPA = """\
$ORIGIN ipv4only.arpa.
$TTL 60
@           SOA   ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@           NS    ns.example.test.
@           A     192.0.0.170
@           A     192.0.0.171
"""


class NetworkNsd(Nsd):
    """NSD in the network; loopback is for the question whether it is there."""

    addresses = ("127.0.0.1@53", f"{ROUTER}@53")

    def __init__(self, network, *prefixes):
        self.zones = {"example.test": EXAMPLE, "ipv4only.arpa": ARPA + "".join(
            f"@ AAAA {prefix}c000:a{last}\n" for prefix in prefixes for last in ("a", "b"))}
        super().__init__(network)


class Network:
    """The two namespaces; programs run in `server`, as in Rig."""

    inside = staticmethod(Rig.inside)

    def __init__(self):
        self.client, self.server = (f"asock{os.getpid()}-n{end}" for end in "cs")
        self.rig = Rig()  # for its programs

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        """Makes both, and a greeter on every address of the network."""
        for name in (self.client, self.server):
            run("ip", "netns", "add", name)
            run(*Rig.inside(name), "sh", "-ec", """
                cd /proc/sys/net/ipv6/conf/default
                echo 0 > dad_transmits; echo 0 > accept_dad; echo 0 > accept_ra""")
            Rig.ip(name, "link set lo up")
        run("ip", "link", "add", "up0", "netns", self.client, "type", "veth", "peer", "name",
            "down0", "netns", self.server)
        Rig.ip(self.client, "link set up0 up")
        Rig.ip(self.server, "link set down0 up")
        Rig.ip(self.client, "addr add 2001:db8:c::2/64 dev up0 nodad",
               f"route add default via {ROUTER}")
        Rig.ip(self.server, f"addr add {ROUTER}/64 dev down0 nodad",
               f"route add local {WELL_KNOWN}/96 dev lo", f"route add local {OWN}/96 dev lo",
               "route add local fd00:64::/96 dev lo", "route add local 11.0.0.0/8 dev lo")
        run(*Rig.inside(self.client), "sh", "-ec",
            "echo 1 > /proc/sys/net/ipv6/conf/up0/accept_ra")
        self.rig.python(self.server, "peers.py", RIG_PORT)

    def down(self):
        """Removes them, whatever happened."""
        for process in list(self.rig.programs):
            self.rig.stop(process)
        for name in (self.client, self.server):
            with contextlib.suppress(AssertionError):
                run("ip", "netns", "del", name)

    def advertise(self, prefix, lifetime):
        """A router advertisement with the prefix of a translator, 96 bits (RFC 8781)."""
        option = struct.pack("!BBH12s", 38, 2, lifetime & 0xfff8,
                             socket.inet_pton(socket.AF_INET6, prefix)[:12])
        with Rig.entered(self.server), \
                socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router:
            interface = socket.if_nametoindex("down0")
            router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
            router.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 0, 0, 0) + option,
                          ("ff02::1", 0, 0, interface))


@pytest.fixture
def network():
    """A network of this test's own."""
    require_root()
    require_program("ip", "nft", "nsenter", "nsd")
    with Network() as made:
        yield made


@pytest.fixture
def serve(network, start):
    """A function that starts the name server and the daemon in the client's namespace."""
    with contextlib.ExitStack() as stack:
        def make(*prefixes, config="", resolve=()):
            stack.enter_context(NetworkNsd(network, *prefixes))
            daemon = start(config, [f"Servers={ROUTER}", *resolve],
                           prefix=Rig.inside(network.client))
            daemon.network = network
            return daemon

        yield make


def connect(daemon, host, boxed=False, service=RIG_PORT):
    """Connects; answers the peer's address and the reply. boxed: as from another namespace."""
    with contextlib.ExitStack() as stack:
        if not boxed:
            stack.enter_context(Rig.entered(daemon.network.client))
        client = stack.enter_context(Client(daemon.socket))
        reply, connection = client.connect(host, service)
        with connection:
            connection.settimeout(10)
            assert connection.recv(100) == b"greetings\n"
            return connection.getpeername()[0], reply


def fails(daemon, host, boxed=False, service=RIG_PORT):
    """The error's name, its parameters, and the seconds it took."""
    began = time.monotonic()
    with pytest.raises(CallError) as error:
        connect(daemon, host, boxed, service)
    return error.value.name, error.value.parameters, time.monotonic() - began


def was_asked(daemon):
    """Whether the DNS was asked for the prefix."""
    with Client(daemon.control) as control:
        return bool(control.call(DUMP_CACHE, glob=ASKED)["items"])


def test_name_with_ipv4_alone(serve):
    daemon = serve(WELL_KNOWN)
    peer, reply = connect(daemon, "v4only.example.test")
    assert peer == "64:ff9b::b00:1"
    assert reply["peer"] == {"family": "inet6", "address": peer, "port": RIG_PORT}
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["connected"]


def test_literal(serve):
    daemon = serve(OWN)
    assert connect(daemon, "11.1.2.3")[0] == "2001:db8:64::b01:203"
    assert connect(daemon, "::ffff:11.1.2.3")[0] == "2001:db8:64::b01:203"
    assert was_asked(daemon)


def test_target_of_a_service(serve):
    daemon = serve(WELL_KNOWN)
    assert connect(daemon, "service.example.test", service="web")[0] == "64:ff9b::b00:4"


def test_name_of_the_hosts_file(serve):
    daemon = serve(WELL_KNOWN)
    daemon.hosts_file.write_text("11.0.0.5 box.test\n")
    assert connect(daemon, "box.test")[0] == "64:ff9b::b00:5"


def test_address_of_dns64_and_our_own_are_one(serve):
    daemon = serve(OWN)
    # Nobody listens, so that each address would be tried.
    name, parameters, _ = fails(daemon, "own64.example.test", service=1)
    assert name == CONNECT_FAILED
    assert [attempt["endpoint"]["address"] for attempt in parameters["attempts"]] == \
        ["2001:db8:64::b00:3"]


def test_ipv6_comes_first(serve):
    daemon = serve(WELL_KNOWN)
    assert connect(daemon, "both.example.test")[0] == ROUTER


def test_configured_prefix_needs_no_question(serve):
    daemon = serve(WELL_KNOWN, resolve=["Nat64=fd00:64::/96"])
    assert connect(daemon, "11.1.2.3")[0] == "fd00:64::b01:203"
    assert connect(daemon, "v4only.example.test")[0] == "fd00:64::b00:1"
    assert not was_asked(daemon)


def test_switched_off(serve):
    daemon = serve(WELL_KNOWN, resolve=["Nat64=no"])
    name, parameters, seconds = fails(daemon, "11.1.2.3")
    assert (name, parameters["errno"]) == (CONNECT_FAILED, "ENETUNREACH")
    assert seconds < 1
    assert not was_asked(daemon)


def test_network_without_a_translator(serve):
    daemon = serve()
    for _ in range(2):
        name, parameters, seconds = fails(daemon, "11.1.2.3")
        assert (name, parameters["errno"]) == (CONNECT_FAILED, "ENETUNREACH")
        assert seconds < 1
    assert was_asked(daemon)


def test_silent_name_server_is_waited_for_once(serve, network):
    daemon = serve(WELL_KNOWN)
    run(*Rig.inside(network.server), "nft", "-f", "-", text="""
        table inet silence {
            chain input {
                type filter hook input priority 0; policy accept;
                meta l4proto { tcp, udp } th dport 53 drop
            }
        }""")
    name, _, seconds = fails(daemon, "11.1.2.3")
    assert name == CONNECT_FAILED and 1.5 < seconds < 4
    assert fails(daemon, "11.1.2.3")[2] < 1
    # What can be reached does not wait.
    began = time.monotonic()
    assert connect(daemon, ROUTER)[0] == ROUTER
    assert time.monotonic() - began < 1


def test_what_is_never_translated(serve):
    daemon = serve(WELL_KNOWN)
    connect(daemon, "v4only.example.test")
    for host in ("10.0.0.1", "192.168.7.7", "169.254.1.1", "198.18.0.1", "240.0.0.1"):
        name, parameters, _ = fails(daemon, host)
        assert name == CONNECT_FAILED
        assert [attempt["endpoint"]["family"] for attempt in parameters["attempts"]] == ["inet"]


def test_host_with_ipv4_asks_nobody(serve, network):
    Rig.ip(network.client, "addr add 11.9.9.2/24 dev up0", "route add default via 11.9.9.1")
    Rig.ip(network.server, "addr add 11.9.9.1/24 dev down0")
    daemon = serve(WELL_KNOWN)
    assert connect(daemon, "v4only.example.test")[0] == "11.0.0.1"
    assert connect(daemon, "11.1.2.3")[0] == "11.1.2.3"
    assert not was_asked(daemon)


def test_route_to_some_ipv4_addresses(serve, network):
    Rig.ip(network.client, "addr add 11.9.9.2/24 dev up0")
    Rig.ip(network.server, "addr add 11.9.9.1/24 dev down0")
    daemon = serve(WELL_KNOWN)
    assert connect(daemon, "11.9.9.1")[0] == "11.9.9.1"
    assert connect(daemon, "11.1.2.3")[0] == "64:ff9b::b01:203"


def test_router_tells_the_prefix(serve, network):
    daemon = serve(WELL_KNOWN)
    network.advertise(OWN, 600)
    wait_for(lambda: connect(daemon, "11.1.2.3")[0] == "2001:db8:64::b01:203", "the prefix")
    network.advertise(OWN, 0)
    wait_for(lambda: connect(daemon, "11.1.2.3")[0] == "64:ff9b::b01:203", "its end")


def test_router_is_believed_without_a_question(serve, network):
    daemon = serve(WELL_KNOWN)
    # The daemon listens since its start, and takes what the kernel has before it asks the first time.
    network.advertise(OWN, 600)
    with Client(daemon.control) as control:
        control.call(DUMP_CACHE, glob="*")
    assert connect(daemon, "11.1.2.3")[0] == "2001:db8:64::b01:203"
    assert not was_asked(daemon)


def test_ipv4_that_comes_later(serve, network):
    daemon = serve(WELL_KNOWN)
    assert connect(daemon, "11.1.2.3")[0] == "64:ff9b::b01:203"
    Rig.ip(network.server, "addr add 11.9.9.1/24 dev down0")
    Rig.ip(network.client, "addr add 11.9.9.2/24 dev up0", "route add default via 11.9.9.1")
    wait_for(lambda: connect(daemon, "11.1.2.3")[0] == "11.1.2.3", "the way over IPv4")
    Rig.ip(network.client, "addr del 11.9.9.2/24 dev up0")
    wait_for(lambda: connect(daemon, "11.1.2.3")[0] == "64:ff9b::b01:203", "the way back")


# A client that is held to classes, and wants out

OPEN = "[Role box]\nMatch=netns:other\nMode=open\n"
INSIDE = [
    "2001:db8:64::10.0.0.1", "2001:db8:64::127.0.0.1", "2001:db8:64::192.168.7.7",
    "2001:db8:64::169.254.169.254", "2001:db8:64::100.100.100.200", "2001:db8:64::c0a8:0707",
    "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "private.example.test",
    "metadata.example.test", "169.254.169.254", "10.0.0.1"]


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_closed_is_reached_by_the_first_call(serve, host):
    """That is when nobody has had a reason to look for the prefix before."""
    daemon = serve(OWN, config=OPEN)
    assert fails(daemon, host, boxed=True)[0] == DENIED


def test_nothing_closed_is_reached_and_what_is_public_is(serve):
    daemon = serve(OWN, config=OPEN)
    for peer in ("2001:db8:64::b01:203", "2001:db8:64::b00:1"):
        assert connect(daemon, peer, boxed=True)[0] == peer
    assert connect(daemon, "v4only.example.test", boxed=True)[0] == "2001:db8:64::b00:1"
    assert connect(daemon, "11.1.2.3", boxed=True)[0] == "2001:db8:64::b01:203"
    for host in INSIDE:
        assert fails(daemon, host, boxed=True)[0] == DENIED, host


def test_metadata_is_closed_to_everybody(serve):
    daemon = serve(OWN)
    connect(daemon, "11.1.2.3")
    for host in ("2001:db8:64::169.254.169.254", "169.254.169.254", "metadata.example.test"):
        assert fails(daemon, host)[0] == DENIED, host


def test_never_holds_behind_a_translator(serve):
    daemon = serve(OWN, config="[Never]\nTo=11.1.2.0/24\n")
    connect(daemon, "11.1.1.1")
    for host in ("11.1.2.3", "2001:db8:64::11.1.2.3"):
        assert fails(daemon, host)[0] == DENIED, host


def test_prefix_of_a_router_is_judged_when_it_is_withdrawn(serve, network):
    daemon = serve(config=OPEN)
    network.advertise(OWN, 600)
    wait_for(lambda: fails(daemon, "2001:db8:64::10.0.0.1", boxed=True)[0] == DENIED, "the prefix")
    network.advertise(OWN, 0)
    wait_for(lambda: fails(daemon, "11.1.2.3", boxed=True)[0] == CONNECT_FAILED, "its end")
    assert fails(daemon, "2001:db8:64::10.0.0.1", boxed=True)[0] == DENIED


def test_configured_prefix_counts_as_what_is_behind_it(serve):
    daemon = serve(config=OPEN, resolve=["Nat64=fd00:64::/96"])
    assert connect(daemon, "11.1.2.3", boxed=True)[0] == "fd00:64::b01:203"
    assert connect(daemon, "fd00:64::11.1.2.3", boxed=True)[0] == "fd00:64::b01:203"
    for host in ("10.0.0.1", "fd00:64::10.0.0.1", "fd00:64::169.254.169.254", "fd00:65::1"):
        assert fails(daemon, host, boxed=True)[0] == DENIED, host
