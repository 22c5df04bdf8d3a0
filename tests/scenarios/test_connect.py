# SPDX-License-Identifier: MIT
"""Names become connections: through a real name server, over a router that drops and rejects.

The first part needs root and the rig: the daemon in the client namespace, NSD in the server's. The
second part runs for everyone: a scripted name server and listeners on loopback. Times are windows:
the lower end shows that the delay is there, the upper end that nothing else is; both are wide,
because the machine is small and busy.
"""

import socket

import pytest

import wire
from conftest import RIG_PORT
from daemon import wait_for
from dnsserver import DnsServer
from needs import require
from peers import BlackHole, Greeter, can_bind, closed_port
from rig import SERVER4
from wire import Client

MS = 1000
DEAD_BY_SILENCE = "198.18.17.53"
DEAD_BY_ICMP = "198.18.18.53"


@pytest.fixture
def rigged(rig, nsd, start):
    """A function that starts a daemon in the client namespace and answers a connection to it. It
    learns nothing, so that each race is the first, whatever the kernel knows of the one before."""
    clients = []

    def start_rigged(servers=(SERVER4,), config="", **keywords):
        lines = [f"Servers={server}" for server in servers]
        made = start("[Connect]\nHistory=off\n" + config, lines, prefix=rig.inside(rig.client), **keywords)
        with rig.entered(rig.client):
            clients.append(Client(made.socket, timeout=40))
        return clients[-1]

    yield start_rigged
    for client in clients:
        client.close()


def connect(client, host, service=RIG_PORT, **parameters):
    """Connects, sees the greeting, and answers the reply."""
    reply, connection = client.connect(host, service, **parameters)
    with connection:
        connection.settimeout(5)
        assert connection.recv(100) == b"greetings\n"
        assert connection.getpeername()[:2] == (reply["peer"]["address"], reply["peer"]["port"])
    return reply


def fails(client, host, service=RIG_PORT, **parameters):
    """The error of a connection that must fail."""
    with pytest.raises(wire.CallError) as caught:
        connect(client, host, service, **parameters)
    return caught.value


def told(attempts):
    """What a reply says about its attempts, in short."""
    return [(attempt["endpoint"]["address"], attempt["outcome"], attempt.get("error"))
            for attempt in attempts]


# On the rig


def test_dual_stack_takes_ipv6_first(rigged):
    reply = connect(rigged(), "dual.example.test")
    assert told(reply["attempts"]) == [("2001:db8:0:10::1", "connected", None)]
    assert reply["name"] == "dual.example.test"
    attempt = reply["attempts"][0]
    assert attempt["source"] == "dns"
    assert attempt["target"].rstrip(".").startswith("dual.example.test")
    assert attempt["endpoint"]["family"] == "inet6"
    assert reply["local"]["address"] == "2001:db8:0:c::2"
    assert 0 < reply["resolveUsec"] <= reply["totalUsec"] < 150 * MS


@pytest.mark.parametrize("host,address", [
    ("v4only.example.test", "198.18.16.4"),
    ("v6only.example.test", "2001:db8:0:10::6"),
    ("alias.example.test", "2001:db8:0:10::1"),
    ("DUAL.Example.Test.", "2001:db8:0:10::1"),
])
def test_names(rigged, host, address):
    assert connect(rigged(), host)["peer"]["address"] == address


def test_black_holed_ipv6_costs_the_attempt_delay(rigged):
    reply = connect(rigged(), "hole6.example.test")
    assert told(reply["attempts"]) == [("2001:db8:0:11::1", "cancelled", None),
                                       ("198.18.16.1", "connected", None)]
    assert 240 * MS < reply["totalUsec"] < 600 * MS
    first, second = reply["attempts"]
    assert 240 * MS < second["startedUsec"] - first["startedUsec"] < 600 * MS


def test_attempt_delay_is_the_callers(rigged):
    reply = connect(rigged(), "hole6.example.test", attemptDelayUsec=800 * MS)
    assert 790 * MS < reply["totalUsec"] < 1400 * MS


def test_black_holed_ipv4_costs_nothing_behind_ipv6(rigged):
    reply = connect(rigged(), "hole4.example.test")
    assert told(reply["attempts"]) == [("2001:db8:0:10::1", "connected", None)]
    assert reply["totalUsec"] < 150 * MS


def test_refused_ipv6_costs_nothing(rigged):
    reply = connect(rigged(), "refuse6.example.test")
    assert told(reply["attempts"]) == [("2001:db8:0:12::1", "failed", "ECONNREFUSED"),
                                       ("198.18.16.1", "connected", None)]
    assert reply["totalUsec"] < 100 * MS


@pytest.mark.parametrize("rule,delayed", [
    ("ip6 daddr 2001:db8:0:10::/64 drop", True),
    ("ip6 daddr 2001:db8:0:10::/64 meta l4proto tcp reject with tcp reset", False),
])
def test_a_family_breaks(rigged, faults, rule, delayed):
    client = rigged()
    assert connect(client, "dual.example.test")["peer"]["family"] == "inet6"
    faults(rule)
    reply = connect(client, "dual.example.test")
    assert reply["peer"]["address"] == "198.18.16.1"
    if delayed:
        assert 240 * MS < reply["totalUsec"] < 600 * MS
    else:
        assert reply["totalUsec"] < 100 * MS


def test_ipv4_breaks_and_ipv6_was_not_asked_for(rigged, faults):
    client = rigged()
    faults("ip daddr 198.18.16.0/24 reject with icmp host-unreachable")
    error = fails(client, "dual.example.test", family="inet")
    assert error.name == wire.CONNECT_FAILED
    assert told(error.parameters["attempts"]) == [("198.18.16.1", "failed", "EHOSTUNREACH")]
    assert connect(client, "dual.example.test")["peer"]["family"] == "inet6"


def test_silent_aaaa_costs_the_resolution_delay(rig, rigged):
    rules = '{"dual.example.test AAAA": {"drop": true}}'
    proxy = rig.python(rig.server, "dnsserver.py", SERVER4, 5300, SERVER4, rules)
    try:
        reply = connect(rigged([f"{SERVER4}:5300"]), "dual.example.test")
        assert told(reply["attempts"]) == [("198.18.16.1", "connected", None)]
        assert 45 * MS < reply["totalUsec"] < 250 * MS
    finally:
        rig.stop(proxy)


def test_late_aaaa_joins_the_race(rig, rigged):
    rules = '{"hole.example.test AAAA": {"answers": ["2001:db8:0:10::1"], "delay": 0.3}}'
    proxy = rig.python(rig.server, "dnsserver.py", SERVER4, 5300, SERVER4, rules)
    try:
        reply = connect(rigged([f"{SERVER4}:5300"]), "hole.example.test")
        assert told(reply["attempts"]) == [("198.18.17.1", "cancelled", None),
                                           ("2001:db8:0:10::1", "connected", None)]
        assert 290 * MS < reply["totalUsec"] < 900 * MS
    finally:
        rig.stop(proxy)


def test_both_families_refused(rigged):
    error = fails(rigged(), "refuse.example.test")
    assert error.name == wire.CONNECT_FAILED
    assert error.parameters["errno"] == "ECONNREFUSED"
    assert told(error.parameters["attempts"]) == [
        ("2001:db8:0:12::1", "failed", "ECONNREFUSED"),
        ("198.18.18.1", "failed", "ECONNREFUSED")]
    assert error.parameters["attemptsOmitted"] == 0


def test_headline_is_the_most_telling_and_not_the_last(rigged):
    error = fails(rigged(), "mixed.example.test", family="inet")
    assert error.name == wire.CONNECT_FAILED
    assert error.parameters["errno"] == "ECONNREFUSED"
    assert {item[1:] for item in told(error.parameters["attempts"])} == {
        ("failed", "ECONNREFUSED"), ("failed", "EHOSTUNREACH")}
    error = fails(rigged(), "unreach.example.test")
    assert error.parameters["errno"] == "EHOSTUNREACH"


def test_timeout_is_honoured_while_connecting(rigged):
    client = rigged()
    client.socket.settimeout(5)
    error = fails(client, "hole.example.test", timeoutUsec=700 * MS)
    assert error.name == wire.TIMED_OUT
    assert error.parameters["stage"] == "connect"
    attempts = error.parameters["attempts"]
    assert [attempt["endpoint"]["address"] for attempt in attempts] == ["2001:db8:0:11::1",
                                                                        "198.18.17.1"]
    assert all(attempt["outcome"] in ("timeout", "cancelled") for attempt in attempts)
    assert 600 * MS < attempts[0]["elapsedUsec"] < 1500 * MS


def test_attempt_timeout_ends_one_attempt(rigged):
    error = fails(rigged(), "hole.example.test", attemptTimeoutUsec=400 * MS)
    assert error.name == wire.CONNECT_FAILED
    assert error.parameters["errno"] == "ETIMEDOUT"
    assert all(item[1:] == ("timeout", "ETIMEDOUT") for item in told(error.parameters["attempts"]))


def test_timeout_is_honoured_while_resolving(rigged):
    client = rigged([DEAD_BY_SILENCE])
    client.socket.settimeout(5)
    error = fails(client, "dual.example.test", timeoutUsec=500 * MS)
    assert error.name == wire.TIMED_OUT
    assert error.parameters["stage"] == "resolve"
    assert error.parameters["attempts"] == []


def test_truncated_answer_is_asked_again_over_tcp(rigged):
    client = rigged()
    reply = client.call(wire.RESOLVE, host="many.example.test", family="inet")
    assert reply["source"] == "dns"
    assert len(reply["endpoints"]) >= 16
    reply = connect(client, "many.example.test", family="inet")
    assert reply["peer"]["address"].startswith("198.18.16.")
    assert isinstance(reply["hasNext"], bool)


@pytest.mark.parametrize("first,limit", [(DEAD_BY_ICMP, 1000 * MS), (DEAD_BY_SILENCE, 8000 * MS)])
def test_first_name_server_is_dead(rigged, first, limit):
    reply = connect(rigged([first, SERVER4]), "dual.example.test")
    assert reply["peer"]["address"] == "2001:db8:0:10::1"
    assert reply["totalUsec"] < limit


def test_first_name_server_fails(rig, rigged):
    rules = '{"dual.example.test A": {"rcode": 2}, "dual.example.test AAAA": {"rcode": 2}}'
    proxy = rig.python(rig.server, "dnsserver.py", SERVER4, 5300, SERVER4, rules)
    try:
        reply = connect(rigged([f"{SERVER4}:5300", SERVER4]), "dual.example.test")
        assert reply["totalUsec"] < 1000 * MS
    finally:
        rig.stop(proxy)


def test_every_name_server_fails(rigged):
    client = rigged()
    error = fails(client, "www.missing.test")
    assert error.name == wire.RESOLVER + ".ServerFailed"
    assert error.parameters["rcode"] == "SERVFAIL"
    assert error.parameters["server"] == {"family": "inet", "address": SERVER4, "port": 53}


@pytest.mark.parametrize("host,name", [
    ("nowhere.example.test", "NameNotFound"),
    ("dangling.example.test", "NameNotFound"),
    ("text.example.test", "NoData"),
])
def test_names_without_an_address(rigged, host, name):
    error = fails(rigged(), host)
    assert error.name == f"{wire.RESOLVER}.{name}"
    assert error.parameters["name"].rstrip(".") == host


def test_resolv_conf_and_its_search_list(rigged):
    resolv_conf = f"search deep.sub.example.test sub.example.test\nnameserver {SERVER4}\n"
    client = rigged((), resolv_conf=resolv_conf)
    reply = connect(client, "www")
    assert reply["name"] == "www.deep.sub.example.test"
    assert reply["peer"]["address"] == "198.18.16.3"
    resolv_conf = f"search nothing.example.test sub.example.test\nnameserver {SERVER4}\n"
    reply = connect(rigged((), resolv_conf=resolv_conf), "www")
    assert reply["name"] == "www.sub.example.test"
    assert reply["peer"]["address"] == "198.18.16.2"


@pytest.mark.parametrize("family,address", [
    ("inet", "198.18.16.1"),
    ("inet6", "2001:db8:0:10::1"),
    ("preferInet", "198.18.16.1"),
    ("preferInet6", "2001:db8:0:10::1"),
])
def test_family(rigged, family, address):
    reply = connect(rigged(), "dual.example.test", family=family)
    assert told(reply["attempts"]) == [(address, "connected", None)]


def test_family_without_an_address(rigged):
    error = fails(rigged(), "v4only.example.test", family="inet6")
    assert error.name == wire.RESOLVER + ".NoData"


def test_no_route_to_a_family(rig, rigged):
    client = rigged()
    rig.ip(rig.client, "route del default via 2001:db8:0:c::1")
    try:
        reply = connect(client, "dual.example.test")
        assert reply["peer"]["address"] == "198.18.16.1"
        assert reply["totalUsec"] < 150 * MS
    finally:
        rig.ip(rig.client, "route add default via 2001:db8:0:c::1")


# On loopback, for everyone


@pytest.fixture
def names(start):
    """Starts a scripted name server and a daemon that asks it; answers (client, server)."""
    made = []

    def start_names(rules, **keywords):
        server = DnsServer(rules)
        made.append(server)
        daemon = start(resolve=[f"Servers=127.0.0.1:{server.port}"], **keywords)
        client = Client(daemon.socket)
        made.insert(0, client)
        return client, server

    yield start_names
    for item in made:
        item.__exit__()


def test_a_and_aaaa_are_asked_once_each(names, greeter):
    client, server = names({"one.test A": {"answers": ["127.0.0.1"]}})
    reply = connect(client, "one.test", greeter.port)
    assert told(reply["attempts"]) == [("127.0.0.1", "connected", None)]
    assert sorted(server.log) == ["one.test A udp", "one.test AAAA udp"]


def test_only_one_family_is_asked_for(names, greeter):
    client, server = names({"one.test A": {"answers": ["127.0.0.1"]}})
    connect(client, "one.test", greeter.port, family="inet")
    assert server.log == ["one.test A udp"]


def test_hosts_file_comes_before_dns(names, greeter):
    client, server = names({"one.test A": {"answers": ["127.0.0.9"]}}, hosts="127.0.0.1 one.test\n")
    reply = connect(client, "one.test", greeter.port)
    assert reply["attempts"][0]["source"] == "hosts"
    assert reply["peer"]["address"] == "127.0.0.1"
    assert server.log == []


def test_localhost_never_asks(names, greeter):
    client, server = names({})
    assert connect(client, "localhost", greeter.port)["peer"]["address"] == "127.0.0.1"
    assert connect(client, "sub.localhost", greeter.port)["peer"]["address"] == "127.0.0.1"
    assert server.log == []


def test_aliases_are_followed(names, greeter):
    client, _ = names({"one.test A": {"answers": ["two.test", "two.test three.test",
                                                  "three.test 127.0.0.1"]}})
    assert connect(client, "one.test", greeter.port)["peer"]["address"] == "127.0.0.1"


@pytest.mark.parametrize("lie", ["id", "question", "qr"])
def test_forged_answers_are_ignored(names, greeter, lie):
    client, _ = names({"one.test A": {"answers": ["127.0.0.1"], "lie": lie,
                                      "lie_address": "127.0.0.66"}})
    reply = connect(client, "one.test", greeter.port)
    assert told(reply["attempts"]) == [("127.0.0.1", "connected", None)]


def test_truncation_goes_to_tcp(names, greeter):
    client, server = names({"one.test A": {"answers": ["127.0.0.1"], "truncate": True}})
    assert connect(client, "one.test", greeter.port)["peer"]["address"] == "127.0.0.1"
    assert "one.test A tcp" in server.log


def test_refused_address_costs_nothing_on_loopback(names):
    with Greeter("127.0.0.2") as second:
        client, _ = names({"two.test A": {"answers": ["127.0.0.3", "127.0.0.2"]}})
        reply = connect(client, "two.test", second.port)
        assert reply["peer"]["address"] == "127.0.0.2"
        assert reply["totalUsec"] < 200 * MS


def test_resolution_is_part_of_the_deadline(names, greeter):
    client, _ = names({"one.test A": {"drop": True}, "one.test AAAA": {"drop": True}})
    error = fails(client, "one.test", greeter.port, timeoutUsec=300 * MS)
    assert error.name == wire.TIMED_OUT
    assert error.parameters["stage"] == "resolve"


def test_hanging_attempt_ends_with_the_deadline(start):
    with BlackHole() as hole:
        with Client(start().socket) as client:
            error = fails(client, "127.0.0.1", hole.port, timeoutUsec=300 * MS)
            assert error.name == wire.TIMED_OUT
            assert error.parameters["stage"] == "connect"
            assert len(error.parameters["attempts"]) == 1


def test_service_names(start):
    port = closed_port()
    with Client(start().socket) as client:
        error = fails(client, "127.0.0.1", f"made-up={port}")
        assert error.parameters["attempts"][0]["endpoint"]["port"] == port
        reply = client.call(wire.RESOLVE, host="127.0.0.1", service="https")
        assert reply["endpoints"][0]["port"] == 443


@pytest.mark.parametrize("target", ["127.0.0.1:{}", "127.1:{}", "0x7f000001:{}", "localhost:{}",
                                    "here.test:{}"])
def test_target_forms(start, greeter, target):
    daemon = start(hosts="127.0.0.1 here.test\n")
    with Client(daemon.socket) as client:
        reply, connection = client.connect(target=target.format(greeter.port))
        with connection:
            assert reply["peer"] == {"family": "inet", "address": "127.0.0.1",
                                     "port": greeter.port}


def test_ipv6_loopback(start):
    require(can_bind("::1"), "needs IPv6 on loopback")
    with Greeter("::1") as greeter, Client(start().socket) as client:
        reply, connection = client.connect(target=f"[::1]:{greeter.port}")
        with connection:
            assert reply["peer"]["address"] == "::1"


def test_socket_options_are_set(start, greeter):
    options = {"noDelay": True, "userTimeoutUsec": 7_000_000,
               "keepAlive": {"idleUsec": 33_000_000, "intervalUsec": 11_000_000, "probes": 5}}
    with Client(start().socket) as client:
        _, connection = client.connect("127.0.0.1", greeter.port, options=options)
        with connection:
            tcp = socket.IPPROTO_TCP
            assert connection.getsockopt(tcp, socket.TCP_NODELAY) != 0
            assert connection.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 7000
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
            assert connection.getsockopt(tcp, socket.TCP_KEEPIDLE) == 33
            assert connection.getsockopt(tcp, socket.TCP_KEEPINTVL) == 11
            assert connection.getsockopt(tcp, socket.TCP_KEEPCNT) == 5
        _, connection = client.connect("127.0.0.1", greeter.port)
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0


def test_losers_are_closed(start, greeter):
    daemon = start(hosts="127.0.0.1 here.test\n::1 here.test\n")
    with Client(daemon.socket) as client:
        client.call(wire.PING)
        before = daemon.count_descriptors()
        for _ in range(20):
            _, connection = client.connect("here.test", greeter.port)
            connection.close()
        wait_for(lambda: daemon.count_descriptors() == before, "closed attempts")
