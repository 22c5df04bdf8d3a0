# SPDX-License-Identifier: MIT
"""Names and records through a real name server, NSD with zones of this file: every method of
org.asockd.Resolver, services by name, the cache and what the control socket tells.

The first part is for everyone, on loopback; what needs a resolv.conf with servers, which have port
53, runs in the rig.
"""

import base64
import contextlib
import ipaddress
import os

import pytest

import wire
from conftest import RIG_PORT
from daemon import source_dir, wait_for
from idl import Interface
from needs import require_program
from nsd import LoopbackNsd
from peers import Greeter, closed_port
from rig import SERVER4, run
from upstream import Upstream, address
from wire import CallError, Client

SECOND = 1_000_000
MANAGER = Interface((source_dir() / "protocol/org.asockd.Manager.varlink").read_text())
RESOLVER = Interface((source_dir() / "protocol/org.asockd.Resolver.varlink").read_text())

# {good}: the port of a peer that greets on 127.0.0.1; {closed}: a port that refuses.
ZONE = """\
$ORIGIN example.test.
$TTL 60
@           SOA   ns hostmaster 1 3600 600 86400 60
@           NS    ns
@           A     127.0.0.1
ns          A     127.0.0.1
dual        A     192.0.2.10
dual        AAAA  2001:db8::10
loop        A     127.0.0.1
alias       CNAME hop
hop         CNAME dual
dangling    CNAME nowhere
old         DNAME new
www.new     A     192.0.2.11
mail        MX    10 mx1
mail        MX    20 mx2
text        TXT   "plain" "with \\"quotes\\""
web         HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
svcb        SVCB  0 web
caa         CAA   0 issue "ca.test"
unknown     TYPE65534 \\# 3 010203
short       1     A 192.0.2.12
bare        TXT   "no address here"

_order._tcp      SRV 20 0 3000 third
_order._tcp      SRV 10 0 1000 first
_order._tcp      SRV 10 0 1001 first
_weight._tcp     SRV 1 90 1000 heavy
_weight._tcp     SRV 1 10 1000 light
_none._tcp       SRV 0 0 0 .
_fall._tcp       SRV 1 0 {closed} loop
_fall._tcp       SRV 2 0 {good} loop
_half._tcp       SRV 1 0 1000 bare
_half._tcp       SRV 2 0 {good} loop
_udp-only._udp   SRV 1 0 5000 third
first       A     192.0.2.21
first       AAAA  2001:db8::21
third       A     192.0.2.23
heavy       A     192.0.2.90
light       A     192.0.2.91
"""
REVERSE4 = """\
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 60
@           SOA   ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@           NS    ns.example.test.
10          PTR   dual.example.test.
11          PTR   www.new.example.test.
11          PTR   elsewhere.example.test.
12          PTR   dual.example.test.
"""
REVERSE6 = """\
$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.
$TTL 60
@           SOA   ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@           NS    ns.example.test.
0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR dual.example.test.
"""


@pytest.fixture(scope="module")
def peer():
    """What connections lead to."""
    with Greeter() as made:
        yield made


@pytest.fixture(scope="module")
def zones(peer):
    """The name server of this file."""
    require_program("nsd")
    text = ZONE.format(good=peer.port, closed=closed_port())
    with LoopbackNsd({"example.test": text, "2.0.192.in-addr.arpa": REVERSE4,
                      "8.b.d.0.1.0.0.2.ip6.arpa": REVERSE6}) as made:
        yield made


@pytest.fixture
def daemon(start, zones):
    """A daemon that asks it."""
    return start(resolve=[f"Servers=127.0.0.1:{zones.port}"],
                 hosts="192.0.2.77 hosts.test alias.hosts.test\n")


@pytest.fixture
def client(daemon):
    """A connection to the public socket."""
    with Client(daemon.socket) as made:
        yield made


@pytest.fixture
def control(daemon):
    """A connection to the control socket."""
    with Client(daemon.control) as made:
        yield made


def ask(client, method, **parameters):
    """A call whose reply is as the interface says."""
    reply = client.call(method, **parameters)
    interface, name = method.rsplit(".", 1)
    described = {wire.MANAGER: MANAGER, wire.RESOLVER: RESOLVER}[interface]
    described.check(reply, described.methods[name][1], method)
    return reply


def fails(client, method, **parameters):
    """The error of a call that has to fail, which is as the interface says."""
    with pytest.raises(CallError) as caught:
        client.call(method, **parameters)
    interface, name = caught.value.name.rsplit(".", 1)
    if interface == wire.RESOLVER:
        RESOLVER.check(caught.value.parameters, RESOLVER.errors[name], caught.value.name)
    return caught.value


def addresses(reply):
    """The addresses of a reply with endpoints."""
    return [endpoint["address"] for endpoint in reply["endpoints"]]


# Records


RECORDS = [
    ("dual", "A", ["192.0.2.10"], "wAACCg=="),
    ("dual", "AAAA", ["2001:db8::10"], None),
    ("mail", "MX", ["10 mx1.example.test.", "20 mx2.example.test."], None),
    ("text", "TXT", ['"plain" "with \\"quotes\\""'], None),
    ("web", "HTTPS", ["1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1"], None),
    ("svcb", "SVCB", ["0 web.example.test."], None),
    ("caa", "CAA", ['0 issue "ca.test"'], None),
    ("alias", "CNAME", ["hop.example.test."], None),
    ("old", "DNAME", ["new.example.test."], None),
    ("", "NS", ["ns.example.test."], None),
    ("", "SOA", ["ns.example.test. hostmaster.example.test. 1 3600 600 86400 60"], None),
    ("_none._tcp", "SRV", ["0 0 0 ."], "AAAAAAAAAA=="),
    ("unknown", "TYPE65534", ["\\# 3 010203"], "AQID"),
]


def plain(text):
    """Presentation form without what writers differ in."""
    return text.replace('alpn="h2,h3"', "alpn=h2,h3").rstrip()


@pytest.mark.parametrize("name,kind,texts,data", RECORDS, ids=[row[1] for row in RECORDS])
def test_records_of_each_type(client, name, kind, texts, data):
    full = f"{name}.example.test".lstrip(".")
    reply = ask(client, wire.RESOLVE_RECORD, name=full, type=kind)
    assert sorted(plain(record["text"]) for record in reply["records"]) == sorted(texts)
    for record in reply["records"]:
        assert record["name"].rstrip(".") == full
        assert record["type"] == kind
        assert 0 < record["ttlUsec"] <= 60 * SECOND
        decoded = base64.b64decode(record["data"], validate=True)
        assert decoded
        if data is not None:
            assert record["data"] == data
    assert reply["rcode"] == "NOERROR"
    assert reply["source"] == "dns"
    assert reply["transport"] in ("udp", "tcp")
    assert reply["roundTripUsec"] > 0
    assert reply["authenticated"] is False and reply["confidential"] is False


def test_records_are_those_of_dig(client, zones):
    require_program("dig")
    for name, kind, _, _ in RECORDS:
        full = f"{name}.example.test".lstrip(".")
        said = run("dig", "+short", "+norecurse", "@127.0.0.1", "-p", str(zones.port), full, kind)
        reply = ask(client, wire.RESOLVE_RECORD, name=full, type=kind)
        assert sorted(plain(record["text"]) for record in reply["records"]) == sorted(
            plain(line) for line in said.splitlines()), kind


def test_data_is_in_wire_form_without_compression(client):
    reply = ask(client, wire.RESOLVE_RECORD, name="mail.example.test", type="MX")
    data = [base64.b64decode(record["data"]) for record in reply["records"]]
    assert b"\0\x0a\3mx1\7example\4test\0" in data


def test_aliases_stand_before_the_records(client):
    reply = ask(client, wire.RESOLVE_RECORD, name="alias.example.test", type="AAAA")
    assert [(record["name"].rstrip("."), record["type"], record["text"])
            for record in reply["records"]] == [
        ("alias.example.test", "CNAME", "hop.example.test."),
        ("hop.example.test", "CNAME", "dual.example.test."),
        ("dual.example.test", "AAAA", "2001:db8::10")]


def test_dname_leads_to_another_tree(client):
    reply = ask(client, wire.RESOLVE, host="www.old.example.test", family="inet")
    assert addresses(reply) == ["192.0.2.11"]


@pytest.mark.parametrize("name,kind,error", [
    ("nowhere.example.test", "MX", "NameNotFound"),
    ("dual.example.test", "MX", "NoData"),
    ("dangling.example.test", "A", "NameNotFound"),
    ("dual.example.test", "NOTATYPE", "InvalidName"),
    ("dual.example.test", "TYPE65536", "InvalidName"),
    ("a..b", "MX", "InvalidName"),
    ("", "MX", "InvalidName"),
])
def test_records_that_are_not_there(client, name, kind, error):
    assert fails(client, wire.RESOLVE_RECORD, name=name, type=kind).name == (
        f"{wire.RESOLVER}.{error}")


def test_errors_name_the_server(client, zones):
    error = fails(client, wire.RESOLVE_RECORD, name="nowhere.example.test", type="MX")
    assert error.parameters["name"].rstrip(".") == "nowhere.example.test"
    assert error.parameters["server"] == f"127.0.0.1:{zones.port}"


def test_a_name_with_underscores_and_odd_characters(client):
    assert ask(client, wire.RESOLVE_RECORD, name="_order._tcp.example.test", type="SRV")["records"]


# Services


def targets(reply):
    """Targets in short."""
    return [(target["name"].rstrip("."), target["port"], target["priority"])
            for target in reply["targets"]]


def test_targets_come_by_priority(client):
    reply = ask(client, wire.RESOLVE_SERVICE, service="order", domain="example.test")
    assert reply["name"].rstrip(".") == "_order._tcp.example.test"
    found = targets(reply)
    assert sorted(found[:2]) == [("first.example.test", 1000, 10), ("first.example.test", 1001, 10)]
    assert found[2:] == [("third.example.test", 3000, 20)]
    endpoints = reply["targets"][0]["endpoints"]
    assert {endpoint["address"] for endpoint in endpoints} == {"192.0.2.21", "2001:db8::21"}
    assert {endpoint["port"] for endpoint in endpoints} == {reply["targets"][0]["port"]}


def test_each_call_draws_anew_by_weight(client):
    draws = [targets(ask(client, wire.RESOLVE_SERVICE, service="weight", domain="example.test"))
             for _ in range(400)]
    heavy = sum(found[0][0] == "heavy.example.test" for found in draws)
    assert all(len(found) == 2 for found in draws)
    # 360 expected; six standard deviations are 36.
    assert 324 <= heavy <= 396


def test_a_lone_dot_says_no(client):
    error = fails(client, wire.RESOLVE_SERVICE, service="none", domain="example.test")
    assert error.name == wire.RESOLVER + ".ServiceUnavailable"
    assert error.parameters["name"].rstrip(".") == "_none._tcp.example.test"
    error = fails(client, wire.RESOLVE, host="example.test", service="none")
    assert error.name == wire.RESOLVER + ".ServiceUnavailable"
    error = fails(client, wire.CONNECT, host="example.test", service="none")
    assert error.name == wire.RESOLVER + ".ServiceUnavailable"


def test_a_service_that_has_no_records(client):
    error = fails(client, wire.RESOLVE_SERVICE, service="missing", domain="example.test")
    assert error.name == wire.RESOLVER + ".NameNotFound"


def test_the_protocol_is_part_of_the_name(client):
    reply = ask(client, wire.RESOLVE_SERVICE, service="udp-only", protocol="udp",
                domain="example.test")
    assert targets(reply) == [("third.example.test", 5000, 1)]
    error = fails(client, wire.RESOLVE_SERVICE, service="udp-only", domain="example.test")
    assert error.name == wire.RESOLVER + ".NameNotFound"


def test_a_target_without_addresses_says_so(client):
    reply = ask(client, wire.RESOLVE_SERVICE, service="half", domain="example.test")
    first, second = reply["targets"]
    assert first["endpoints"] == [] and first["error"] == wire.RESOLVER + ".NoData"
    assert second["endpoints"] and "error" not in second


def test_sockaddr_goes_through_srv(client, peer):
    reply = ask(client, wire.RESOLVE, host="example.test", service="half")
    assert [(endpoint["address"], endpoint["port"]) for endpoint in reply["endpoints"]] == [
        ("127.0.0.1", peer.port)]


def test_connection_falls_back_to_the_next_target(client, peer):
    reply, connection = client.connect("example.test", "fall")
    with connection:
        connection.settimeout(5)
        assert connection.recv(100) == b"greetings\n"
    assert reply["peer"]["port"] == peer.port
    assert [(attempt["outcome"], attempt.get("error")) for attempt in reply["attempts"]] == [
        ("failed", "ECONNREFUSED"), ("connected", None)]
    assert reply["attempts"][1]["target"].rstrip(".").startswith("loop.example.test")


def test_a_service_without_srv_is_a_port(client):
    reply = ask(client, wire.RESOLVE, host="dual.example.test", service="https")
    assert {endpoint["port"] for endpoint in reply["endpoints"]} == {443}


def test_a_number_is_never_a_service(client):
    reply = ask(client, wire.RESOLVE, host="dual.example.test", service="3000", family="inet")
    assert reply["endpoints"][0]["port"] == 3000


# Addresses


@pytest.mark.parametrize("text", ["192.0.2.10", "2001:db8::10"])
def test_address_has_a_confirmed_name(client, text):
    reply = ask(client, wire.RESOLVE_ADDRESS, address=text)
    assert [name.rstrip(".") for name in reply["names"]] == ["dual.example.test"]
    assert reply["confirmed"] is True
    assert [name.rstrip(".") for name in reply["confirmedNames"]] == ["dual.example.test"]
    assert reply["source"] == "dns"


def test_address_whose_name_leads_elsewhere_is_not_confirmed(client):
    reply = ask(client, wire.RESOLVE_ADDRESS, address="192.0.2.12")
    assert reply["confirmed"] is False
    assert reply["confirmedNames"] == []


def test_address_with_names_of_which_some_lead_back(client):
    reply = ask(client, wire.RESOLVE_ADDRESS, address="192.0.2.11")
    assert sorted(name.rstrip(".") for name in reply["names"]) == [
        "elsewhere.example.test", "www.new.example.test"]
    assert reply["confirmed"] is False
    assert [name.rstrip(".") for name in reply["confirmedNames"]] == ["www.new.example.test"]


def test_address_of_the_hosts_file(client):
    reply = ask(client, wire.RESOLVE_ADDRESS, address="192.0.2.77")
    assert "hosts.test" in [name.rstrip(".") for name in reply["names"]]
    assert reply["source"] == "hosts"
    assert reply["confirmed"] is True


@pytest.mark.parametrize("text,error", [
    ("192.0.2.200", "NameNotFound"),
    ("not an address", "InvalidName"),
    ("dual.example.test", "InvalidName"),
])
def test_address_without_a_name(client, text, error):
    assert fails(client, wire.RESOLVE_ADDRESS, address=text).name == f"{wire.RESOLVER}.{error}"


# The cache


def test_second_answer_is_from_the_cache_and_ages(client, zones):
    first = ask(client, wire.RESOLVE, host="dual.example.test")
    assert first["source"] == "dns"
    assert first["server"] == {"family": "inet", "address": "127.0.0.1", "port": zones.port}
    second = ask(client, wire.RESOLVE, host="dual.example.test")
    assert second["source"] == "cache"
    assert addresses(second) == addresses(first)
    assert second["ttlUsec"] <= first["ttlUsec"] <= 60 * SECOND
    assert second["resolveUsec"] < 5000
    wait_for(lambda: ask(client, wire.RESOLVE, host="dual.example.test")["ttlUsec"]
             < second["ttlUsec"], "a second to pass", 3)


def test_cache_knows_no_case_and_no_final_dot(client):
    ask(client, wire.RESOLVE, host="dual.example.test")
    assert ask(client, wire.RESOLVE, host="DUAL.Example.TEST.")["source"] == "cache"


def test_methods_share_the_cache(client):
    ask(client, wire.RESOLVE, host="dual.example.test")
    assert ask(client, wire.RESOLVE_RECORD, name="dual.example.test", type="A")["source"] == "cache"


def test_entry_ends_with_its_ttl(client, control):
    ask(client, wire.RESOLVE, host="short.example.test", family="inet")
    assert ask(client, wire.RESOLVE, host="short.example.test", family="inet")["source"] == "cache"
    wait_for(lambda: dump(control, "short.example.test")[0]["ttlUsec"] < 0, "the end of the TTL")
    assert ask(client, wire.RESOLVE, host="short.example.test", family="inet")["source"] == "dns"


def dump(control, glob=None, **parameters):
    """What the cache has."""
    if glob is not None:
        parameters["glob"] = glob
    return ask(control, wire.DUMP_CACHE, **parameters)["items"]


def fill(client):
    """Three names with answers, one without, one that lacks a type."""
    for host in ("dual.example.test", "loop.example.test", "first.example.test"):
        ask(client, wire.RESOLVE, host=host, family="inet")
    ask(client, wire.RESOLVE, host="dual.example.test", family="inet6")
    fails(client, wire.RESOLVE, host="nowhere.example.test", family="inet")
    fails(client, wire.RESOLVE, host="bare.example.test", family="inet")


def test_dump_shows_what_is_kept(client, control, zones):
    fill(client)
    items = {(item["name"], item["type"]): item for item in dump(control)}
    entry = items["dual.example.test", "A"]
    assert entry["kind"] == "positive"
    assert len(entry["records"]) == 1 and "192.0.2.10" in entry["records"][0]
    assert entry["server"] == f"127.0.0.1:{zones.port}"
    assert 0 < entry["ttlUsec"] <= 60 * SECOND and entry["sizeBytes"] > 0
    kinds = {name: item["kind"] for (name, _), item in items.items()}
    assert kinds["nowhere.example.test"] == "nameNotFound"
    assert kinds["bare.example.test"] == "noData"


def test_dump_is_in_the_order_of_use_and_bounded(client, control):
    fill(client)
    ask(client, wire.RESOLVE, host="loop.example.test", family="inet")
    reply = ask(control, wire.DUMP_CACHE, limit=1)
    assert [item["name"] for item in reply["items"]] == ["loop.example.test"]
    assert reply["omitted"] == reply["entries"] - 1 == 5
    assert reply["hits"] >= 1 and reply["misses"] >= 6
    assert 0 < reply["bytes"] <= reply["maxBytes"]
    assert {item["name"] for item in dump(control, "d*.example.test")} == {"dual.example.test"}


@pytest.mark.parametrize("parameters,flushed,left", [
    ({}, 6, 0),
    ({"name": "dual.example.test"}, 2, 4),
    ({"name": "DUAL.example.test."}, 2, 4),
    ({"name": "dual.example.test", "type": "AAAA"}, 1, 5),
    # What does not exist has no AAAA either.
    ({"name": "*.example.test", "type": "AAAA"}, 2, 4),
    ({"name": "[dl]*.example.test"}, 3, 3),
    ({"kind": "negative"}, 2, 4),
    ({"kind": "positive"}, 4, 2),
    ({"kind": "stale"}, 0, 6),
    ({"kind": "any"}, 6, 0),
    ({"name": "nothing.test"}, 0, 6),
])
def test_flush_forgets_what_fits(client, control, parameters, flushed, left):
    fill(client)
    assert ask(control, wire.FLUSH_CACHE, **parameters)["flushed"] == flushed
    assert len(dump(control)) == left
    if left == 0:
        assert ask(client, wire.RESOLVE, host="dual.example.test")["source"] == "dns"


# Servers and explanations


def test_list_servers_tells_what_is_known(client, control, zones):
    (before,) = ask(control, wire.LIST_SERVERS)["servers"]
    assert before["state"] == "unknown" and before["questions"] == 0
    fill(client)
    reply = ask(control, wire.LIST_SERVERS)
    (server,) = reply["servers"]
    assert server["endpoint"] == {"family": "inet", "address": "127.0.0.1", "port": zones.port}
    assert server["domains"] == ["."]
    assert server["state"] == "good"
    assert server["questions"] == server["answers"] == 6 == reply["questions"]
    assert server["unanswered"] == server["failures"] == 0
    assert 0 < server["roundTripUsec"] < SECOND
    assert server["edns"] == "yes" and server["tls"] == "no"
    assert reply["hedges"] == 0


def test_explain_tells_and_does_not_connect(control, peer):
    accepted = peer.accepted
    reply = ask(control, wire.EXPLAIN, host="loop.example.test", service=str(peer.port))
    assert peer.accepted == accepted
    assert reply["name"].rstrip(".") == "loop.example.test"
    outcomes = {question["type"]: question["outcome"] for question in reply["questions"]}
    assert outcomes == {"A": "found", "AAAA": "noData"}
    assert all(question["source"] == "dns" for question in reply["questions"])
    (candidate,) = reply["candidates"]
    assert candidate["endpoint"] == {"family": "inet", "address": "127.0.0.1", "port": peer.port}
    assert candidate["sourceAddress"] == "127.0.0.1"
    assert candidate["allowed"] is True
    assert "error" not in reply


def test_explain_names_the_reason_of_the_order(control):
    reply = ask(control, wire.EXPLAIN, target="dual.example.test:80")
    assert len(reply["candidates"]) == 2
    assert reply["candidates"][0]["reason"]


@pytest.mark.parametrize("host,source", [
    ("192.0.2.99", "literal"), ("hosts.test", "hosts"), ("localhost", "synthetic"),
])
def test_explain_asks_nobody_for_what_is_known(control, host, source):
    reply = ask(control, wire.EXPLAIN, host=host, service="80")
    assert reply["candidates"][0]["source"] == source
    assert all(question["source"] == source for question in reply["questions"])


@pytest.mark.parametrize("host,service,error", [
    ("nowhere.example.test", "80", wire.RESOLVER + ".NameNotFound"),
    ("example.test", "none", wire.RESOLVER + ".ServiceUnavailable"),
    ("169.254.169.254", "80", wire.CONNECTOR + ".Denied"),
])
def test_explain_names_the_error_of_the_call(control, host, service, error):
    assert ask(control, wire.EXPLAIN, host=host, service=service)["error"] == error


def test_explain_follows_srv(control):
    reply = ask(control, wire.EXPLAIN, host="example.test", service="order")
    assert "SRV" in {question["type"] for question in reply["questions"]}
    assert {candidate["endpoint"]["port"] for candidate in reply["candidates"]} == {1000, 1001,
                                                                                    3000}


# Sources


def test_special_names_never_leave_the_host(start):
    with Upstream() as upstream:
        upstream.answer_all()
        with Client(start(resolve=upstream.lines()).socket) as client:
            for host in ("a.onion", "b.invalid", "c.local", "onion", "x.alt"):
                assert fails(client, wire.RESOLVE, host=host).name.startswith(wire.RESOLVER)
            for host in ("localhost", "x.localhost"):
                for text in addresses(ask(client, wire.RESOLVE, host=host)):
                    assert ipaddress.ip_address(text).is_loopback
            ask(client, wire.RESOLVE, host=os.uname().nodename)
        assert upstream.log() == []


@pytest.mark.parametrize("order,found", [("hosts-first", "192.0.2.5"), ("dns-first", "192.0.2.6")])
def test_hosts_order(start, order, found):
    with Upstream() as upstream:
        upstream.answer_all(addresses=["192.0.2.6"])
        upstream.rule("only.test", rcode=3)
        daemon = start(resolve=[*upstream.lines(), f"HostsOrder={order}"],
                       hosts="192.0.2.5 both.test only.test\n")
        with Client(daemon.socket) as client:
            reply = ask(client, wire.RESOLVE, host="both.test", family="inet")
            assert addresses(reply) == [found]
            reply = ask(client, wire.RESOLVE, host="only.test", family="inet")
            assert addresses(reply) == ["192.0.2.5"] and reply["source"] == "hosts"


def test_hosts_file_is_live(start):
    daemon = start(hosts="192.0.2.5 live.test\n")
    with Client(daemon.socket) as client:
        def found():
            return addresses(ask(client, wire.RESOLVE, host="live.test"))

        assert found() == ["192.0.2.5"]
        # Two edits within a second, of one size.
        for last in (6, 7):
            daemon.hosts_file.write_text(f"192.0.2.{last} live.test\n")
            wait_for(lambda last=last: found() == [f"192.0.2.{last}"], "the edit", 2)
        # A rename with an old time.
        other = daemon.directory / "hosts.new"
        other.write_text("192.0.2.8 live.test\r\n")
        status = daemon.hosts_file.stat()
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns - 10 ** 12))
        other.rename(daemon.hosts_file)
        wait_for(lambda: found() == ["192.0.2.8"], "the rename", 2)


# With port 53: in the rig


@pytest.fixture
def rigged(rig, start):
    """A function that starts a daemon in the client namespace with this resolv.conf."""
    with contextlib.ExitStack() as stack:
        def make(resolv_conf, **keywords):
            made = start(resolv_conf=resolv_conf, prefix=rig.inside(rig.client), **keywords)
            with rig.entered(rig.client):
                return made, stack.enter_context(Client(made.socket))

        yield make


@pytest.fixture
def scripted(rig):
    """A scripted upstream in the server namespace, on port 53 of two addresses."""
    addresses_there = ["198.18.16.53", "198.18.16.54"]
    with Upstream(addresses=addresses_there, prefix=rig.inside(rig.server), port=53) as made:
        made.answer_all()
        yield made


def name_servers(*texts, more=""):
    """The text of a resolv.conf."""
    return "".join(f"nameserver {text}\n" for text in texts) + more


def test_search_list_is_walked(rigged, scripted):
    scripted.rule("*", rcode=3)
    scripted.rule("host.two.test", "A", [address("192.0.2.42")])
    _, client = rigged(name_servers(scripted.addresses[0], more="search one.test two.test\n"))
    reply = ask(client, wire.RESOLVE, host="host", family="inet")
    assert reply["name"].rstrip(".") == "host.two.test"
    assert [question.name for question in scripted.log()] == ["host.one.test", "host.two.test"]


def test_records_and_final_dots_know_no_search_list(rigged, scripted):
    scripted.rule("*", rcode=3)
    _, client = rigged(name_servers(scripted.addresses[0], more="search one.test\n"))
    fails(client, wire.RESOLVE_RECORD, name="host", type="MX")
    fails(client, wire.RESOLVE, host="host.", family="inet")
    assert {question.name for question in scripted.log()} == {"host"}


def test_resolv_conf_is_live(rigged, scripted):
    daemon, client = rigged(name_servers(scripted.addresses[0]))
    reply = ask(client, wire.RESOLVE, host="one.test", family="inet")
    assert reply["server"]["address"] == scripted.addresses[0]
    new = daemon.directory / "resolv.conf.new"
    new.write_text(name_servers(scripted.addresses[1]))
    new.rename(daemon.directory / "resolv.conf")
    numbers = iter(range(1000))

    def is_second():
        reply = ask(client, wire.RESOLVE, host=f"n{next(numbers)}.test", family="inet")
        return reply["server"]["address"] == scripted.addresses[1]

    wait_for(is_second, "the new server", 2)
    (daemon.directory / "resolv.conf").write_text("")
    wait_for(lambda: fails_without_servers(client, next(numbers)), "no server", 2)


def fails_without_servers(client, number):
    """Whether a look-up says that there are none."""
    try:
        client.call(wire.RESOLVE, host=f"n{number}.test", family="inet")
    except CallError as error:
        return error.name == wire.RESOLVER + ".NoServers"
    return False


def test_use_vc_is_tcp(rigged, scripted):
    _, client = rigged(name_servers(scripted.addresses[0], more="options use-vc\n"))
    assert ask(client, wire.RESOLVE, host="one.test", family="inet")["transport"] == "tcp"
    assert {question.transport for question in scripted.log()} == {"tcp"}


@pytest.mark.parametrize("options,trusted", [("", False), ("options trust-ad\n", True)])
def test_trust_ad(rigged, scripted, options, trusted):
    scripted.rule("*", "A", [address("192.0.2.1")], flags=0x20)
    _, client = rigged(name_servers(scripted.addresses[0], more=options))
    reply = ask(client, wire.RESOLVE, host="one.test", family="inet")
    assert reply["authenticated"] is trusted
    assert reply["confidential"] is False


def test_rotate_spreads_the_questions(rigged, scripted):
    _, client = rigged(name_servers(*scripted.addresses, more="options rotate\n"))
    for number in range(40):
        ask(client, wire.RESOLVE, host=f"n{number}.test", family="inet")
    for server in (0, 1):
        assert scripted.count(server=server) >= 8


def test_configured_servers_take_the_place_of_resolv_conf(rigged, scripted):
    _, client = rigged(name_servers(scripted.addresses[0]),
                       resolve=[f"Servers={scripted.addresses[1]}"])
    reply = ask(client, wire.RESOLVE, host="one.test", family="inet")
    assert reply["server"]["address"] == scripted.addresses[1]


def test_configured_domain_goes_beside_resolv_conf(rigged, scripted):
    _, client = rigged(name_servers(scripted.addresses[0]),
                       resolve=[f"Servers={scripted.addresses[1]}", "Domain=corp.test"])
    for host, server in (("one.test", 0), ("a.corp.test", 1), ("corp.test", 1), ("xcorp.test", 0)):
        reply = ask(client, wire.RESOLVE, host=host, family="inet")
        assert reply["server"]["address"] == scripted.addresses[server], host


def test_connection_through_the_rig(rigged, nsd):
    _, client = rigged(name_servers(SERVER4))
    for source in ("dns", "cache"):
        reply, connection = client.connect("v4only.example.test", RIG_PORT)
        connection.close()
        assert reply["attempts"][0]["source"] == source
