# SPDX-License-Identifier: MIT
"""What the daemon learns of its name servers and does about it: cookies, extended errors, failures
and how long they are remembered, renewal in advance, the bounds of the cache, and which server is
asked for which name. The servers are scripted (upstream.py)."""

import contextlib
import socket
import statistics
import time

import pytest

import wire
from daemon import wait_for
from upstream import (COOKIE_GIVEN, COOKIE_REQUIRED, COOKIE_WRONG, NXDOMAIN, REFUSED, SERVFAIL,
                      address, extended_error, srv)
from wire import CallError, Client

SECOND = 1_000_000
TRUE = "192.0.2.80"


def ask(client, host, **parameters):
    """A look-up of IPv4 addresses."""
    return client.call(wire.RESOLVE, host=host, family="inet", **parameters)


def fails(client, host, **parameters):
    """The error of one that has to fail."""
    with pytest.raises(CallError) as caught:
        ask(client, host, **parameters)
    return caught.value


def listed(control):
    """What is known of the servers, in their order."""
    return control.call(wire.LIST_SERVERS)["servers"]


# Cookies (RFC 7873)


def test_cookie_is_brought_back(servers, connected):
    upstream = servers()
    upstream.manner(0, cookie=COOKIE_GIVEN)
    client, control = connected(upstream.lines())
    for number in range(4):
        ask(client, f"n{number}.test")
    cookies = [question.cookie for question in upstream.log()]
    assert len(cookies[0]) == 16, "8 bytes of the client's own"
    assert {len(cookie) for cookie in cookies[1:]} == {32}
    assert len({cookie[:16] for cookie in cookies}) == 1
    assert listed(control)[0]["cookie"] == "yes"


def test_each_server_sees_another_cookie(servers, connected):
    upstream = servers(2)
    upstream.manner(0, fail=SERVFAIL)
    client, _ = connected(upstream.lines())
    ask(client, "one.test")
    first, second = [next(question.cookie for question in upstream.log()
                          if question.server == server) for server in (0, 1)]
    assert first[:16] != second[:16]


def test_server_that_wants_a_cookie_gets_it(servers, connected):
    upstream = servers()
    upstream.manner(0, cookie=COOKIE_REQUIRED)
    client, _ = connected(upstream.lines())
    began = time.monotonic()
    assert ask(client, "one.test")["endpoints"][0]["address"] == TRUE
    assert time.monotonic() - began < 0.2
    assert upstream.count("one.test") == 2
    ask(client, "two.test")
    assert upstream.count("two.test") == 1


def test_answer_with_a_wrong_cookie_is_not_believed(servers, connected):
    """RFC 7873 section 5.3: a reply with another client cookie is dropped."""
    upstream = servers()
    upstream.rule("one.test", "A", [address("203.0.113.66")], cookie=COOKIE_WRONG, mute_tcp=1)
    client, control = connected(upstream.lines())
    fails(client, "one.test", timeoutUsec=SECOND)
    assert control.call(wire.DUMP_CACHE, glob="one.test")["items"] in ([], None) or all(
        item["kind"] == "failure" for item in control.call(wire.DUMP_CACHE,
                                                           glob="one.test")["items"])


# Extended errors (RFC 8914)


@pytest.mark.parametrize("rcode,error", [(NXDOMAIN, "NameNotFound"), (0, "NoData"),
                                         (SERVFAIL, "ServerFailed")])
def test_extended_error_is_passed_on(servers, connected, rcode, error):
    upstream = servers()
    upstream.rule("one.test", rcode=rcode, options=extended_error(15, b"by order\n\xff"))
    client, _ = connected(upstream.lines())
    raised = fails(client, "one.test")
    assert raised.name == f"{wire.RESOLVER}.{error}"
    ede = raised.parameters["ede"]
    assert ede["code"] == 15
    assert ede["name"].lower() == "blocked"
    assert ede["text"].startswith("by order")
    assert all(" " <= character <= "~" for character in ede["text"])


def test_extended_error_beside_an_answer(servers, connected):
    upstream = servers()
    upstream.rule("one.test", "A", [address(TRUE)], options=extended_error(3))
    client, _ = connected(upstream.lines())
    assert ask(client, "one.test")["ede"]["code"] == 3


# Failures


@pytest.mark.parametrize("rcode", [SERVFAIL, REFUSED, 1, 4])
def test_failure_goes_to_the_next_server(servers, connected, rcode):
    upstream = servers(2)
    upstream.manner(0, fail=rcode)
    client, _ = connected(upstream.lines())
    reply = ask(client, "one.test")
    assert reply["server"]["address"] == upstream.addresses[1]


def test_failure_of_all_names_them_and_is_remembered_for_a_moment(servers, connected):
    upstream = servers(2)
    for server in (0, 1):
        upstream.manner(server, fail=SERVFAIL)
    client, control = connected(upstream.lines())
    error = fails(client, "one.test")
    assert error.name == wire.RESOLVER + ".ServerFailed"
    assert error.parameters["rcode"] == "SERVFAIL"
    assert sorted(error.parameters["servers"]) == sorted(upstream.servers())
    asked = upstream.count()
    for _ in range(5):
        assert fails(client, "one.test").name == error.name
    assert upstream.count() == asked, "RFC 9520"
    assert [item["kind"] for item in control.call(wire.DUMP_CACHE)["items"]] == ["failure"]
    assert control.call(wire.FLUSH_CACHE, kind="failure")["flushed"] == 1
    upstream.reset(0)
    upstream.reset(1)
    assert ask(client, "one.test")["endpoints"][0]["address"] == TRUE


def test_closed_ports_are_told(servers, connected):
    upstream = servers(2)
    upstream.close(0)
    upstream.close(1)
    client, _ = connected(upstream.lines())
    began = time.monotonic()
    error = fails(client, "one.test")
    assert error.name == wire.RESOLVER + ".ServerFailed"
    assert "rcode" not in error.parameters
    assert sorted(error.parameters["servers"]) == sorted(upstream.servers())
    assert time.monotonic() - began < 1


def test_silent_server_is_listed_dead_and_comes_back(servers, connected):
    upstream = servers(2)
    upstream.manner(0, silent=1)
    client, control = connected(upstream.lines())
    numbers = iter(range(10000))

    def state():
        ask(client, f"n{next(numbers)}.test")
        return listed(control)[0]["state"]

    wait_for(lambda: state() == "dead", "notice of the death", 15)
    assert listed(control)[0]["unanswered"] >= 1
    assert listed(control)[1]["state"] == "good"
    upstream.reset(0)
    wait_for(lambda: state() == "good", "notice of the return", 15)
    assert ask(client, f"n{next(numbers)}.test")["server"]["address"] == upstream.addresses[0]


def test_slow_server_goes_behind(servers, connected):
    upstream = servers(2)
    upstream.manner(0, delay=150_000)
    client, control = connected(upstream.lines())
    numbers = iter(range(10000))

    def took():
        began = time.monotonic()
        ask(client, f"n{next(numbers)}.test")
        return time.monotonic() - began

    wait_for(lambda: took() < 0.02, "the faster server", 10)
    assert max(took() for _ in range(10)) < 0.1
    assert listed(control)[0]["state"] == "slow"


def test_many_lookups_do_not_wait_for_a_server_that_died(servers, start):
    """What is learnt from one question that another server answers is of use to those that wait."""
    upstream = servers(2)
    daemon = start(resolve=upstream.lines())
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.socket)) for _ in range(20)]
        for number in range(50):
            ask(clients[0], f"warm{number}.test")
        upstream.manner(0, silent=1)
        for number, client in enumerate(clients):
            client.send(wire.RESOLVE, {"host": f"n{number}.test", "family": "inet"})
        times = [wire.result(client.receive()[0])["resolveUsec"] for client in clients]
    assert statistics.median(times) < 100_000, sorted(times)


def test_loss_costs_little(servers, connected):
    upstream = servers(2)
    upstream.manner(0, loss=20)
    upstream.manner(1, loss=20)
    client, _ = connected(upstream.lines())
    for number in range(100):
        assert ask(client, f"n{number}.test", timeoutUsec=5 * SECOND)["endpoints"]


def test_broken_tcp_is_remembered(servers, connected):
    """The first server truncates and has no TCP: the second one has to do."""
    upstream = servers(2)
    upstream.manner(0, truncate=1)
    upstream.command("close 0 tcp")
    client, _ = connected(upstream.lines())
    for number in range(3):
        began = time.monotonic()
        reply = ask(client, f"n{number}.test", timeoutUsec=5 * SECOND)
        assert reply["server"]["address"] == upstream.addresses[1]
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("manner", ["drop_edns", "formerr_edns"])
def test_server_without_edns_is_listed_so(servers, connected, manner):
    upstream = servers()
    upstream.manner(0, **{manner: 1})
    client, control = connected(upstream.lines())
    ask(client, "one.test")
    assert listed(control)[0]["edns"] == "no"
    ask(client, "two.test")
    assert [question.edns for question in upstream.log() if question.name == "two.test"] == [None]


@pytest.mark.parametrize("cookies", [0, COOKIE_GIVEN])
def test_server_whose_cookies_end_costs_little(servers, connected, cookies):
    """One that forgets to send them is asked over TCP, but not for ever."""
    upstream = servers()
    upstream.manner(0, cookie=COOKIE_GIVEN)
    client, _ = connected(upstream.lines())
    ask(client, "one.test")
    upstream.manner(0, cookie=cookies)
    for number in range(20):
        ask(client, f"n{number}.test")
    assert upstream.count(transport="tcp") < 10


def test_handshake_that_hangs_costs_little(servers, connected):
    """Tls=opportunistic, and something in between swallows what it does not know."""
    upstream = servers()
    upstream.command("close 0 tcp")
    with socket.create_server((upstream.addresses[0], upstream.port)):
        client, _ = connected([*upstream.lines(), "Tls=opportunistic"])
        began = time.monotonic()
        assert ask(client, "one.test")["transport"] == "udp"
        assert time.monotonic() - began < 2


# The cache


def test_name_in_use_is_renewed_before_it_expires(servers, connected):
    upstream = servers()
    upstream.answer_all(ttl=10, addresses=[TRUE])
    client, _ = connected(upstream.lines())
    assert ask(client, "used.test")["source"] == "dns"
    end = time.monotonic() + 12
    while time.monotonic() < end:
        assert ask(client, "used.test")["source"] == "cache"
        time.sleep(0.05)
    assert upstream.count("used.test") == 2


def test_cache_is_bounded_and_keeps_what_is_used(servers, connected):
    upstream = servers()
    upstream.manner(0, delay=0)
    client, control = connected([*upstream.lines(), "CacheSizeKiB=64"])
    for number in range(1000):
        ask(client, f"n{number}.test")
        if number % 20 == 0:
            ask(client, "hot.test")
    reply = control.call(wire.DUMP_CACHE, limit=1)
    assert reply["maxBytes"] == 64 * 1024
    assert reply["bytes"] <= reply["maxBytes"]
    assert reply["evictions"] > 0 and 50 < reply["entries"] < 1000
    assert upstream.count("hot.test") == 1
    assert ask(client, "n999.test")["source"] == "cache"
    assert ask(client, "n0.test")["source"] == "dns"


def test_without_a_cache_everything_is_asked(servers, connected):
    upstream = servers()
    client, control = connected([*upstream.lines(), "CacheSizeKiB=0"])
    for count in range(1, 4):
        assert ask(client, "one.test")["source"] == "dns"
        assert upstream.count("one.test") == count
    assert control.call(wire.DUMP_CACHE)["entries"] == 0


def test_without_stale_answers_there_are_none(servers, connected):
    upstream = servers()
    upstream.answer_all(ttl=1, addresses=[TRUE])
    client, _ = connected([*upstream.lines(), "StaleMaxSec=0"])
    ask(client, "one.test")
    upstream.manner(0, silent=1)

    def is_gone():
        try:
            return ask(client, "one.test", timeoutUsec=SECOND // 2)["source"] != "cache"
        except CallError:
            return True

    wait_for(is_gone, "the end of the TTL")
    assert fails(client, "one.test", timeoutUsec=SECOND // 2)


def test_stale_answer_when_servers_fail_at_once(servers, connected):
    upstream = servers()
    upstream.answer_all(ttl=1, addresses=[TRUE])
    client, control = connected(upstream.lines())
    ask(client, "one.test")
    upstream.manner(0, fail=SERVFAIL)
    wait_for(lambda: control.call(wire.DUMP_CACHE)["items"][0]["ttlUsec"] < 0, "the end of the TTL")
    for _ in range(3):
        began = time.monotonic()
        reply = ask(client, "one.test")
        assert time.monotonic() - began < 0.05
        assert reply["source"] == "stale"
        assert [endpoint["address"] for endpoint in reply["endpoints"]] == [TRUE]
    assert control.call(wire.DUMP_CACHE)["staleHits"] >= 3


def test_name_that_is_gone_is_not_stale(servers, connected):
    """NXDOMAIN is an answer, and the newest."""
    upstream = servers()
    upstream.answer_all(ttl=1, addresses=[TRUE])
    client, control = connected(upstream.lines())
    ask(client, "one.test")
    upstream.rule("one.test", rcode=NXDOMAIN)
    wait_for(lambda: control.call(wire.DUMP_CACHE)["items"][0]["ttlUsec"] < 0, "the end of the TTL")
    assert fails(client, "one.test").name == wire.RESOLVER + ".NameNotFound"


# Which server for which name


def test_domains_have_servers_of_their_own(servers, connected):
    upstream = servers(4)
    texts = upstream.servers()
    client, control = connected([
        f"Servers={texts[0]}",
        "[Resolve corp]", f"Servers={texts[1]}", "Domain=corp.test",
        "[Resolve lab]", f"Servers={texts[2]}", "Domain=lab.corp.test other.test",
        "[Resolve rest]", f"Servers={texts[3]}", "Domain=quiet.test"])
    for host, server in (("one.test", 0), ("corp.test", 1), ("a.corp.test", 1),
                         ("A.B.CORP.test.", 1), ("xcorp.test", 0), ("lab.corp.test", 2),
                         ("a.lab.corp.test", 2), ("xlab.corp.test", 1), ("other.test", 2),
                         ("corp.test.one", 0)):
        assert ask(client, host)["server"]["address"] == upstream.addresses[server], host
    domains = {server["endpoint"]["address"]: server["domains"] for server in listed(control)}
    assert domains[upstream.addresses[0]] == ["."]
    assert domains[upstream.addresses[1]] == ["corp.test"]
    assert sorted(domains[upstream.addresses[2]]) == ["lab.corp.test", "other.test"]


def test_a_domain_does_not_leak_when_its_servers_fail(servers, connected):
    upstream = servers(2)
    texts = upstream.servers()
    upstream.manner(1, fail=SERVFAIL)
    client, _ = connected([f"Servers={texts[0]}", "[Resolve corp]", f"Servers={texts[1]}",
                           "Domain=corp.test"])
    error = fails(client, "secret.corp.test")
    assert error.parameters["servers"] == [texts[1]]
    assert upstream.count(server=0) == 0


def test_records_and_services_follow_the_domains(servers, connected):
    upstream = servers(2)
    texts = upstream.servers()
    upstream.rule("_x._tcp.corp.test", "SRV", [srv(1, 1, 99, "host.one.test")])
    client, _ = connected([f"Servers={texts[0]}", "[Resolve corp]", f"Servers={texts[1]}",
                           "Domain=corp.test"])
    reply = client.call(wire.RESOLVE_SERVICE, service="x", domain="corp.test", family="inet")
    assert reply["server"] == texts[1]
    assert reply["targets"][0]["endpoints"][0]["address"] == TRUE
    assert {question.server for question in upstream.log()
            if question.name == "host.one.test"} == {0}


def test_server_forms(servers, connected):
    upstream = servers()
    for form in (f"127.0.0.11:{upstream.port}", f"127.0.0.11#{upstream.port}"):
        client, _ = connected([f"Servers={form}"])
        assert ask(client, "one.test")["server"] == {"family": "inet", "address": "127.0.0.11",
                                                     "port": upstream.port}


def test_a_race_goes_on_with_the_fresh_answer(servers, connected, greeter):
    """A stale address is tried when its time comes, and what the late answer says joins the race."""
    upstream = servers()
    upstream.answer_all(ttl=1, addresses=["127.0.0.66"])
    client, control = connected(upstream.lines())
    ask(client, "moved.test")
    upstream.rule("moved.test", "A", [address("127.0.0.1")])
    upstream.manner(0, delay=300_000)
    wait_for(lambda: all(item["ttlUsec"] < 0 for item in control.call(wire.DUMP_CACHE)["items"]
                         if item["type"] == "A"), "the end of the TTL")
    reply, connection = client.connect("moved.test", greeter.port, family="inet")
    connection.close()
    assert [(attempt["endpoint"]["address"], attempt["source"], attempt["outcome"])
            for attempt in reply["attempts"]] == \
        [("127.0.0.66", "stale", "failed"), ("127.0.0.1", "dns", "connected")]
    assert reply["attempts"][0]["startedUsec"] < 200_000 < reply["attempts"][1]["startedUsec"]
    assert upstream.count("moved.test", "A") == 2
