# SPDX-License-Identifier: MIT
"""What a hostile reader of the resolver found: answers that contradict themselves, failures that come
in an unlucky order, and times that are waited for in vain. The servers are scripted (upstream.py)."""

import contextlib
import socket
import threading
import time

import pytest

import wire
from daemon import wait_for
from upstream import NXDOMAIN, SERVFAIL, address, ptr, soa, srv
from wire import CallError

SECOND = 1_000_000
TRUE = "192.0.2.80"
NOT_FOUND = wire.RESOLVER + ".NameNotFound"
SERVER_FAILED = wire.RESOLVER + ".ServerFailed"


def fails(client, method, **parameters):
    """The error of a call that has to fail."""
    with pytest.raises(CallError) as caught:
        client.call(method, **parameters)
    return caught.value


def test_no_such_name_has_no_addresses(servers, connected):
    """An answer that says NXDOMAIN and has records: the one is for all types, the others are of one."""
    upstream = servers()
    upstream.rule("one.test", "*", [address(TRUE)], authority=[soa()], rcode=NXDOMAIN)
    client, _ = connected(upstream.lines())
    for family in ("inet", "inet6", None, "inet6"):
        words = {"family": family} if family else {}
        assert fails(client, wire.RESOLVE, host="one.test", **words).name == NOT_FOUND


def test_failure_of_the_second_message_ends_the_wait_for_the_first(servers, connected):
    """The first datagram is lost, and to the next one the server says that it fails."""
    upstream = servers()
    upstream.rule("one.test", "*", silent=1)
    client, _ = connected(upstream.lines())
    client.send(wire.RESOLVE, {"host": "one.test", "family": "inet", "timeoutUsec": 8 * SECOND})
    deadline = time.monotonic() + 5
    while upstream.count("one.test") < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    upstream.rule("one.test", "*", rcode=SERVFAIL)
    began = time.monotonic()
    with pytest.raises(CallError) as caught:
        wire.result(client.receive()[0])
    assert caught.value.name == SERVER_FAILED
    assert time.monotonic() - began < 2


def test_service_that_only_srv_records_know_is_waited_for(servers, connected):
    """The host's own addresses, for which there is no port, are no reason to hurry."""
    upstream = servers()
    upstream.rule("_nobody-knows-it._tcp.one.test", "SRV", [srv(1, 1, 7000, "two.test")],
                  delay=1_500_000)
    client, _ = connected(upstream.lines())
    reply = client.call(wire.RESOLVE, host="one.test", service="nobody-knows-it", family="inet")
    assert reply["endpoints"][0]["port"] == 7000
    assert upstream.count("one.test") == 0


def test_renewal_that_failed_is_not_tried_with_each_hit(servers, connected):
    """RFC 9520 section 3.2 holds for what is asked ahead of time, too."""
    upstream = servers()
    upstream.rule("one.test", "A", [address(TRUE, ttl=10)])
    client, _ = connected(upstream.lines())
    began = time.monotonic()
    client.call(wire.RESOLVE, host="one.test", family="inet")
    upstream.manner(0, fail=SERVFAIL, delay=0)
    upstream.forget()
    while time.monotonic() - began < 9.7:
        time.sleep(0.01 if time.monotonic() - began > 9 else 0.1)
        client.call(wire.RESOLVE, host="one.test", family="inet")
    assert upstream.count("one.test") == 1


def test_address_confirms_no_address(servers, connected):
    """A PTR record that leads to the address in text: nothing that the DNS says leads back."""
    upstream = servers()
    upstream.rule("7.2.0.192.in-addr.arpa", "PTR", [ptr("192.0.2.7")])
    client, _ = connected(upstream.lines())
    reply = fails(client, wire.RESOLVE_ADDRESS, address="192.0.2.7")
    assert reply.name.endswith("NoData")


class BareRefuser(threading.Thread):
    """A server with EDNS on 127.0.0.1 that, from the second question on, says first in a bare header
    that it does not understand: as whoever can guess an id and a port may say in its name."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.edns = []
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self.socket.recvfrom(4096)
                end = query.index(b"\0", 12) + 5
                self.edns.append(query[11] == 1)
                if len(self.edns) > 1:
                    self.socket.sendto(query[:2] + b"\x81\x81" + bytes(8), peer)
                self.socket.sendto(
                    query[:2] + b"\x81\x80\0\1\0\1\0\0\0\1" + query[12:end]
                    + b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4" + socket.inet_aton(TRUE)
                    + b"\0\0\x29\4\xd0\0\0\0\0\0\0", peer)


def test_bare_header_takes_edns_from_no_server_that_has_it(connected):
    """It has no question and no cookie, and would leave those that come after it without either."""
    server = BareRefuser()
    client, _ = connected([f"Servers=127.0.0.1:{server.port}"])
    for number in range(4):
        reply = client.call(wire.RESOLVE, host=f"n{number}.test", family="inet")
        assert reply["endpoints"][0]["address"] == TRUE
    server.socket.close()
    assert server.edns == [True] * 4


def test_questions_in_the_background_make_room_for_newer_ones(servers, connected):
    """Whoever fills their stock must not leave others with stale answers for ever."""
    upstream = servers()
    names = [f"slow{number}.test" for number in range(64)]
    upstream.rule("*", "A", [address(TRUE, ttl=1)])
    client, _ = connected(upstream.lines())
    for name in [*names, "one.test"]:
        client.call(wire.RESOLVE, host=name, family="inet")
    time.sleep(1.1)
    upstream.rule("*", "A", silent=1)
    upstream.rule("one.test", "A", [address("192.0.2.81")], delay=60_000)
    for name in [*names, "one.test"]:
        assert client.call(wire.RESOLVE, host=name, family="inet")["source"] == "stale"
    wait_for(lambda: client.call(wire.RESOLVE, host="one.test", family="inet")["endpoints"][0]
             ["address"] == "192.0.2.81", "the fresh answer", 1)
    upstream.rule("*", "A", [address(TRUE)])
