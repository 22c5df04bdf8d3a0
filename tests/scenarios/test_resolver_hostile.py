# SPDX-License-Identifier: MIT
"""Name servers that lie, and what must not come of it: the defences that can be seen from outside,
a test each, named after the defence.

The others are tested where they are:
    1  scan before anything else     test_dns_packet_scan: malformed_messages_are_refused,
                                     a_name_has_at_most_126_pointers,
                                     a_message_full_of_…_costs_little
    2  rdata lengths                 test_dns_packet_scan: malformed_messages_are_refused;
                                     test_dns_text for what people are shown
    3  loops that advance            fuzz_dns_packet, fuzz_dns_text
    4  size arithmetic               test_dns_packet_scan, test_dns_packet_answer, test_dns_name;
                                     the suites under UndefinedBehaviorSanitizer (./check)
    14 no completion from inside     test_dns_query: cancel_abandon_and_free_inside_done_are_legal;
                                     test_dns_lookup: inside_done_everything_is_allowed;
                                     test_resolve_dns: cancel_and_free_are_legal_inside_done
    15 retries do not recurse        test_dns_query: any_number_of_refusals_costs_no_stack
    24 limits of each user           test_quota, test_policy.py, test_wire.py
    25 out of memory                 test_call, test_dns_cache
    26 no stray bytes                the suites under valgrind (./check --all)
    27 files                         test_resolv_conf, test_dns_config, test_hosts, test_gai_conf,
                                     test_ini; fuzz_resolv_conf, fuzz_hosts, fuzz_services,
                                     fuzz_gai_conf, fuzz_ini
    28 text behind addresses         test_address: refused_text_leaves_the_output_alone;
                                     test_vectors
    29 aliases of the hosts file     test_hosts: aliases_of_one_line_do_not_reach_another
    31 clocks                        test_base, test_dns_query: the_deadline_is_counted_on_our_clock
    33 IDNA                          test_name: a_host_becomes_a_name_or_an_address
    34 JSON                          test_message
    35 asserts of libraries          fuzz_dns_text, linked with the real ldns
Not there to be tested: 19 and 20 (the daemon does not validate), 32 (it has no DNS listener of its
own), 36 (no filter of answers; which addresses may be dialled is the policy's, test_policy.py).
"""

import contextlib
import signal
import string
import time

import pytest

import wire
from daemon import wait_for
from dnsserver import encode_name
from needs import require_program
from tlsfront import Certificates, TlsFront
from upstream import (FORGED, FORGERIES, NXDOMAIN, TTL, Upstream, address, cname, dname, ptr, soa,
                      srv)
from wire import CallError, Client

TRUE = "192.0.2.80"
SECOND = 1_000_000
SLOW = 3.0  # more than any answer takes here, less than any deadline
HOST_CHARACTERS = set(string.ascii_letters + string.digits + "-_.")


class Asker:
    """A daemon, its scripted server, and connections to both sockets."""

    def __init__(self, daemon, upstream):
        self.daemon = daemon
        self.upstream = upstream
        self.client = Client(daemon.socket, timeout=40)
        self.control = Client(daemon.control)

    def close(self):
        """Closes the connections; the daemon must be alive."""
        assert self.client.call(wire.PING) == {}
        self.client.close()
        self.control.close()

    def addresses(self, host, family="inet", **parameters):
        """The addresses of a host."""
        reply = self.client.call(wire.RESOLVE, host=host, family=family, **parameters)
        return [endpoint["address"] for endpoint in reply["endpoints"]]

    def ask(self, host, **parameters):
        """The whole reply to a look-up of IPv4 addresses."""
        return self.client.call(wire.RESOLVE, host=host, family="inet", **parameters)

    def error(self, method, **parameters):
        """The error of a call that has to fail."""
        with pytest.raises(CallError) as caught:
            self.client.call(method, **parameters)
        return caught.value

    def cached(self, name):
        """What the cache has of a name."""
        return self.control.call(wire.DUMP_CACHE, glob=name)["items"]


@pytest.fixture
def asker(start):
    """A function that makes a daemon with a scripted server; without rules each name is TRUE."""
    with contextlib.ExitStack() as stack:
        def make(resolve=(), **keywords):
            upstream = stack.enter_context(Upstream())
            upstream.answer_all(addresses=[TRUE])
            daemon = start(resolve=[*upstream.lines(), *resolve], **keywords)
            made = Asker(daemon, upstream)
            stack.callback(made.close)
            return made

        yield make


# A reply is for this question


@pytest.mark.parametrize("forgery", ["id", "name", "type", "class", "qr", "opcode", "no-question",
                                     "port", "garbage", "trailing", "questions"])
def test_defence_05_reply_is_for_this_question(asker, forgery):
    made = asker()
    made.upstream.manner(0, forge=[forgery], delay=20_000)
    reply = made.ask("one.test")
    assert [endpoint["address"] for endpoint in reply["endpoints"]] == [TRUE]
    assert reply["transport"] == "udp", "one forgery does not end the wait"
    assert made.upstream.count("one.test") == 1


def test_defence_05_all_forgeries_at_once(asker):
    made = asker()
    # Another case is no sign of a forgery unless it is asked for (RandomCase=).
    made.upstream.manner(0, forge=[name for name in FORGERIES if name != "case"], delay=20_000)
    assert not FORGED & set(made.addresses("one.test", family="any"))
    assert TRUE in made.addresses("two.test", family="any")


def test_defence_05_case_counts_when_it_is_random(asker):
    made = asker(["RandomCase=yes"])
    made.upstream.manner(0, forge=["case"], delay=20_000)
    name = "a-long-enough-name-of-many-letters.test"
    assert made.addresses(name) == [TRUE]
    assert any(question.text != name for question in made.upstream.log())


def test_defence_05_server_that_lowers_names_is_found_out(asker):
    """It must not cost more than one more question, each time."""
    made = asker(["RandomCase=yes"])
    made.upstream.manner(0, lower=1)
    began = time.monotonic()
    for number in range(5):
        assert made.addresses(f"name-with-many-letters-{number}.test") == [TRUE]
    assert time.monotonic() - began < SLOW


# Many of them


def test_defence_06_ten_thousand_forgeries_change_nothing(asker):
    made = asker()
    made.upstream.manner(0, forge=["id"], forge_times=10_000, delay=50_000)
    assert made.addresses("one.test") == [TRUE]
    made.upstream.reset(0)
    assert made.addresses("two.test") == [TRUE]


def test_defence_06_many_forgeries_lead_to_tcp(asker):
    made = asker()
    made.upstream.manner(0, forge=["id", "name"], forge_times=100, mute_udp=1)
    reply = made.ask("one.test")
    assert [endpoint["address"] for endpoint in reply["endpoints"]] == [TRUE]
    assert reply["transport"] == "tcp"


# One question for all


def test_defence_07_identical_questions_are_asked_once(asker):
    made = asker(config="[Limits]\nCallsInFlightPerUid=1000\n")
    # Long enough for all to ask meanwhile, and shorter than the wait for a question to be repeated.
    made.upstream.manner(0, delay=300_000)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(made.daemon.socket)) for _ in range(560)]
        for number, client in enumerate(clients):
            client.send(wire.RESOLVE, {"host": f"n{number % 56}.test"})
        for client in clients:
            endpoints = wire.result(client.receive()[0])["endpoints"]
            assert [endpoint["address"] for endpoint in endpoints] == [TRUE]
    questions = [(question.name, question.type) for question in made.upstream.log()]
    assert len(questions) == len(set(questions)) == 2 * 56


def test_defence_07_who_leaves_does_not_take_the_answer_along(asker):
    made = asker()
    made.upstream.manner(0, delay=300_000)
    with Client(made.daemon.socket) as first:
        first.send(wire.RESOLVE, {"host": "one.test", "family": "inet"})
        wait_for(lambda: made.upstream.count("one.test") == 1, "the question")
        with Client(made.daemon.socket) as second:
            second.send(wire.RESOLVE, {"host": "one.test", "family": "inet"})
            assert second.silent_for(0.05)
            first.close()
            endpoints = wire.result(second.receive()[0])["endpoints"]
            assert [endpoint["address"] for endpoint in endpoints] == [TRUE]
    assert made.upstream.count("one.test") == 1


# Ports and ids


def test_defence_08_ports_and_ids_are_random(asker):
    made = asker()
    made.upstream.manner(0, delay=0)
    for number in range(250):
        made.addresses(f"n{number}.test", family="any")
    questions = made.upstream.log()
    assert len(questions) == 500
    for values, bits in (([question.id for question in questions], 16),
                         ([question.port for question in questions], 12)):
        # Of 500 draws of 28000 ports or more, five or so come twice.
        assert len(set(values)) > 470
        for bit in range(bits):
            assert 150 < sum(value >> bit & 1 for value in values) < 350, f"bit {bit}"
        steps = [later - earlier for earlier, later in zip(values, values[1:])]
        assert max(steps.count(step) for step in set(steps)) < 10


def test_defence_08_a_retry_has_a_port_and_an_id_of_its_own(asker):
    made = asker()
    made.upstream.rule("one.test", silent=1)
    made.error(wire.RESOLVE, host="one.test", family="inet", timeoutUsec=2 * SECOND)
    questions = [question for question in made.upstream.log() if question.transport == "udp"]
    assert len(questions) >= 2
    assert len({question.port for question in questions}) == len(questions)
    assert len({question.id for question in questions}) == len(questions)


# Nothing but the chain


@pytest.mark.parametrize("section", ["answers", "authority", "additional"])
def test_defence_09_only_the_chain_is_kept(asker, section):
    made = asker()
    bank = [address("203.0.113.66", owner="bank.example")]
    sections = {"answers": [address("192.0.2.7")], section: bank}
    if section == "answers":
        sections["answers"] = bank + [address("192.0.2.7")]
    made.upstream.rule("evil.test", "A", **sections)
    assert made.addresses("evil.test") == ["192.0.2.7"]
    assert made.cached("bank.example") == []
    assert made.addresses("bank.example") == [TRUE]
    assert made.upstream.count("bank.example", "A") == 1


def test_defence_09_a_link_of_the_chain_is_not_kept_by_itself(asker):
    made = asker()
    made.upstream.rule("evil.test", "A", [cname("bank.example"),
                                          address("203.0.113.66", owner="bank.example")])
    assert made.addresses("evil.test") == ["203.0.113.66"]
    assert made.addresses("bank.example") == [TRUE]
    assert made.upstream.count("bank.example", "A") == 1


def test_defence_09_an_answer_for_another_name_is_none(asker):
    made = asker()
    made.upstream.rule("evil.test", "A", [address("203.0.113.66", owner="bank.example")])
    error = made.error(wire.RESOLVE, host="evil.test", family="inet")
    assert error.name.startswith(wire.RESOLVER)
    assert made.addresses("bank.example") == [TRUE]


def test_defence_09_addresses_beside_srv_are_not_kept(asker):
    made = asker()
    made.upstream.rule("_x._tcp.evil.test", "SRV", [srv(1, 1, 80, "bank.example")],
                       additional=[address("203.0.113.66", owner="bank.example")])
    made.client.call(wire.RESOLVE_RECORD, name="_x._tcp.evil.test", type="SRV")
    assert made.addresses("bank.example") == [TRUE]
    assert made.upstream.count("bank.example", "A") == 1


# Names that are none


BAD_NAMES = {
    "nul": b"a\0b", "dollar": b"$(x)", "high": b"\xff\xfe", "blank": b"a b", "slash": b"a/../b",
    "control": b"\x1b[31m", "line": b"a\nb", "quote": b'a"b', "dot": b"a.b",
}


@pytest.mark.parametrize("label", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_defence_10_ptr_names_are_host_names(asker, label):
    made = asker()
    wire_name = bytes([len(label)]) + label + encode_name("evil.test")
    made.upstream.rule("9.2.0.192.in-addr.arpa", "PTR", [ptr(wire_name), ptr("good.test")])
    reply = made.client.call(wire.RESOLVE_ADDRESS, address="192.0.2.9")
    assert "good.test" in [name.rstrip(".") for name in reply["names"]]
    for name in reply["names"]:
        assert set(name) <= HOST_CHARACTERS, name


@pytest.mark.parametrize("label", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_defence_10_records_are_escaped(asker, label):
    made = asker()
    wire_name = bytes([len(label)]) + label + encode_name("evil.test")
    made.upstream.rule("9.2.0.192.in-addr.arpa", "PTR", [ptr(wire_name)])
    reply = made.client.call(wire.RESOLVE_RECORD, name="9.2.0.192.in-addr.arpa", type="PTR")
    text = reply["records"][0]["text"]
    assert all(" " <= character <= "~" for character in text), text
    assert text.rstrip(".").endswith("evil.test")
    assert text.replace("\\.", "").count(".") - text.endswith(".") == 2, text


def test_defence_10_a_chain_to_no_host_name_is_not_shown_raw(asker):
    made = asker()
    target = b"\5a\nb\0c" + encode_name("evil.test")
    made.upstream.rule("one.test", "A", [("@", "CNAME", target, TTL)])
    error = made.error(wire.RESOLVE, host="one.test", family="inet")
    assert error.name.startswith(wire.RESOLVER)


# Chains


def chain(length, end="192.0.2.16"):
    """A chain of so many links from the name asked for to an address."""
    names = ["@"] + [f"link{number}.test" for number in range(1, length + 1)]
    links = [cname(target, owner=owner) for owner, target in zip(names, names[1:])]
    return links + [address(end, owner=names[-1])]


def test_defence_11_sixteen_links_are_followed(asker):
    made = asker()
    made.upstream.rule("one.test", "A", chain(16))
    reply = made.ask("one.test")
    assert reply["endpoints"][0]["address"] == "192.0.2.16"


LOOPS = {
    "17 links": chain(17),
    "self": [cname("one.test")],
    "loop": [cname("two.test"), cname("one.test", owner="two.test")],
    "inner loop": [cname("two.test"), cname("three.test", owner="two.test"),
                   cname("two.test", owner="three.test")],
}


@pytest.mark.parametrize("records", LOOPS.values(), ids=LOOPS.keys())
def test_defence_11_chains_end(asker, records):
    made = asker()
    made.upstream.rule("one.test", "A", records)
    began = time.monotonic()
    error = made.error(wire.RESOLVE, host="one.test", family="inet")
    assert time.monotonic() - began < SLOW
    assert error.name.startswith(wire.RESOLVER)
    assert made.upstream.count() < 20


def test_defence_11_loop_over_several_answers_ends(asker):
    made = asker()
    made.upstream.rule("one.test", "A", [cname("two.test")])
    made.upstream.rule("two.test", "A", [cname("one.test")])
    began = time.monotonic()
    made.error(wire.RESOLVE, host="one.test", family="inet")
    assert time.monotonic() - began < SLOW
    assert made.upstream.count() < 40


def test_defence_11_dname_that_grows_over_255_octets(asker):
    made = asker()
    label = "x" * 60
    long_target = ".".join([label] * 4)
    name = f"a.{label}.one.test"
    made.upstream.rule(name, "A", [dname(long_target, owner="one.test")])
    began = time.monotonic()
    made.error(wire.RESOLVE, host=name, family="inet")
    assert time.monotonic() - began < SLOW


# Lifetimes


@pytest.mark.parametrize("ttl", [0, 2 ** 31, 2 ** 32 - 1])
def test_defence_12_ttl_that_is_none_is_not_kept(asker, ttl):
    made = asker()
    made.upstream.rule("one.test", "A", [address(TRUE, ttl=ttl)])
    for count in range(1, 4):
        assert made.ask("one.test")["source"] == "dns"
        assert made.upstream.count("one.test") == count


def test_defence_12_long_ttl_is_capped(asker):
    made = asker(["CacheMaxSec=100"])
    made.upstream.rule("one.test", "A", [address(TRUE, ttl=2 ** 31 - 1)])
    made.ask("one.test")
    reply = made.ask("one.test")
    assert reply["source"] == "cache"
    assert 90 * SECOND < reply["ttlUsec"] <= 100 * SECOND


def test_defence_12_the_shortest_ttl_of_a_chain_counts(asker):
    made = asker()
    made.upstream.rule("one.test", "A", [cname("two.test", ttl=7),
                                         address(TRUE, owner="two.test", ttl=70)])
    made.ask("one.test")
    assert 0 < made.ask("one.test")["ttlUsec"] <= 7 * SECOND


def test_defence_12_stale_is_never_stamped_fresh(asker):
    made = asker()
    made.upstream.rule("one.test", "A", [address(TRUE, ttl=1)])
    made.ask("one.test")
    made.upstream.manner(0, silent=1)
    made.upstream.rule("one.test", silent=1)
    wait_for(lambda: made.cached("one.test")[0]["ttlUsec"] < 0, "the end of the TTL")
    seen = made.cached("one.test")[0]["ttlUsec"]
    for _ in range(3):
        assert made.ask("one.test")["source"] == "stale"
        left = made.cached("one.test")[0]["ttlUsec"]
        assert left < seen < 0
        seen = left


# Answers that say no


@pytest.mark.parametrize("rcode", [0, NXDOMAIN], ids=["NoData", "NameNotFound"])
@pytest.mark.parametrize("kept", [True, False], ids=["with SOA", "without SOA"])
def test_defence_13_no_is_kept_with_a_soa_only(asker, rcode, kept):
    made = asker()
    made.upstream.rule("one.test", rcode=rcode, authority=[soa()] if kept else [])
    for count in range(1, 4):
        error = made.error(wire.RESOLVE, host="one.test", family="inet")
        assert error.name == wire.RESOLVER + (".NameNotFound" if rcode else ".NoData")
        assert made.upstream.count("one.test") == (1 if kept else count)


@pytest.mark.parametrize("ttl,minimum", [(300, 7), (7, 300)])
def test_defence_13_no_is_kept_for_the_shorter_of_two_times(asker, ttl, minimum):
    made = asker()
    made.upstream.rule("one.test", rcode=NXDOMAIN, authority=[soa(ttl=ttl, minimum=minimum)])
    made.error(wire.RESOLVE, host="one.test", family="inet")
    assert 0 < made.cached("one.test")[0]["ttlUsec"] <= 7 * SECOND


def test_defence_13_no_is_capped(asker):
    made = asker(["CacheMaxNegativeSec=50"])
    made.upstream.rule("one.test", rcode=NXDOMAIN, authority=[soa()])
    made.error(wire.RESOLVE, host="one.test", family="inet")
    assert 0 < made.cached("one.test")[0]["ttlUsec"] <= 50 * SECOND


# Hardly messages


SHORT = ["empty", "byte", "header", "no-question"]


@pytest.mark.parametrize("forgery", SHORT)
def test_defence_16_hardly_a_datagram(asker, forgery):
    made = asker()
    made.upstream.manner(0, forge=[forgery], delay=20_000)
    assert made.addresses("one.test") == [TRUE]
    assert made.upstream.count("one.test", transport="udp") == 1


@pytest.mark.parametrize("forgery", SHORT)
def test_defence_16_hardly_a_message_over_tcp(asker, forgery):
    """A stream that makes no sense may be given up, but not the daemon, and not the next server."""
    made = asker()
    made.upstream.manner(0, truncate=1, forge_tcp=[forgery])
    with contextlib.suppress(CallError):
        assert made.addresses("one.test", timeoutUsec=2 * SECOND) == [TRUE]
    made.upstream.reset(0)
    assert made.addresses("two.test") == [TRUE]


# Sizes


def test_defence_17_larger_datagrams_than_announced_are_ignored(asker):
    made = asker()
    made.upstream.manner(0, forge=["oversize"], delay=20_000)
    assert made.addresses("one.test") == [TRUE]
    assert all(question.edns <= 1232 for question in made.upstream.log() if question.edns)


def test_defence_17_true_answer_that_is_too_large_is_not_used(asker):
    made = asker()
    made.upstream.manner(0, pad=4096, mute_tcp=1)
    made.error(wire.RESOLVE, host="one.test", family="inet", timeoutUsec=2 * SECOND)


def test_defence_17_truncation_goes_to_tcp(asker):
    made = asker()
    many = [address(f"198.51.{number // 250}.{number % 250}") for number in range(120)]
    made.upstream.rule("many.test", "A", many)
    reply = made.ask("many.test")
    assert reply["transport"] == "tcp"
    assert len(reply["endpoints"]) >= 16


# Streams


def test_defence_18_slow_stream_costs_nobody_else(asker):
    made = asker()
    made.upstream.rule("slow.test", truncate=1, udp_only=True)
    made.upstream.rule("*.fast.test", "A", [address(TRUE)])
    made.upstream.manner(0, trickle=200_000)
    with Client(made.daemon.socket) as other:
        other.send(wire.RESOLVE, {"host": "slow.test", "family": "inet", "timeoutUsec": 2 * SECOND})
        wait_for(lambda: made.upstream.count(transport="tcp") >= 1, "a question over TCP")
        began = time.monotonic()
        for number in range(20):
            assert made.addresses(f"n{number}.fast.test") == [TRUE]
        assert time.monotonic() - began < 1
        reply = other.receive()[0]
        assert "error" in reply
        assert time.monotonic() - began < SLOW


def test_defence_18_answer_may_come_byte_by_byte(asker):
    made = asker()
    made.upstream.manner(0, truncate=1, trickle=200)
    assert made.addresses("one.test") == [TRUE]


def test_defence_18_answers_may_come_in_any_order(asker):
    made = asker()
    made.upstream.manner(0, truncate=1)
    # The connection is there, so that the next questions share it.
    made.addresses("warm.test")
    made.upstream.manner(0, hold=2)
    assert TRUE in made.addresses("one.test", family="any", timeoutUsec=5 * SECOND)
    ports = {question.port for question in made.upstream.log() if question.transport == "tcp"
             and question.name == "one.test"}
    assert len(ports) == 1, "A and AAAA share a connection"


@pytest.mark.parametrize("forgery", ["id", "name", "type"])
def test_defence_18_stream_replies_are_matched(asker, forgery):
    made = asker()
    made.upstream.manner(0, truncate=1, forge_tcp=[forgery])
    with contextlib.suppress(CallError):
        assert made.addresses("one.test", timeoutUsec=2 * SECOND) == [TRUE]
    assert not any(FORGED & set(item["records"]) for item in made.cached("*"))


def test_defence_18_length_that_never_comes(asker):
    made = asker()
    made.upstream.manner(0, truncate=1, tcp_length=65535)
    began = time.monotonic()
    made.error(wire.RESOLVE, host="one.test", family="inet", timeoutUsec=SECOND)
    assert time.monotonic() - began < SLOW
    made.upstream.reset(0)
    assert made.addresses("two.test") == [TRUE]


def test_defence_18_connections_to_a_server_are_few(asker):
    made = asker()
    made.upstream.manner(0, truncate=1, delay=100_000)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(made.daemon.socket)) for _ in range(200)]
        for number, client in enumerate(clients):
            client.send(wire.RESOLVE, {"host": f"n{number}.test", "family": "inet"})
        for client in clients:
            assert wire.result(client.receive()[0])["endpoints"][0]["address"] == TRUE
    ports = {question.port for question in made.upstream.log() if question.transport == "tcp"}
    assert len(ports) <= 20


# Encryption and whose word counts


@pytest.fixture(scope="module")
def certificates():
    """A certificate authority and a server's certificate for dns.test."""
    require_program("openssl")
    with Certificates("dns.test") as made:
        yield made


@pytest.fixture
def encrypted(start, certificates):
    """A function that makes a daemon whose only server speaks TLS, and answers a connection to it,
    the upstream and what stands in front of that."""
    with contextlib.ExitStack() as stack:
        def make(*lines, trusted=True):
            upstream = stack.enter_context(Upstream())
            upstream.answer_all(addresses=[TRUE])
            front = stack.enter_context(TlsFront(certificates, upstream))
            environment = {"SSL_CERT_FILE": str(certificates.authority)} if trusted else {}
            daemon = start(resolve=[f"Servers={front.address}:{front.port}", *lines],
                           environment=environment)
            return stack.enter_context(Client(daemon.socket, timeout=20)), upstream, front

        yield make


def test_defence_21_strict_with_the_right_certificate(encrypted):
    client, upstream, _ = encrypted("Tls=strict", "ServerName=dns.test")
    reply = client.call(wire.RESOLVE, host="one.test", family="inet")
    assert reply["transport"] == "tls"
    assert reply["confidential"] is True
    assert reply["authenticated"] is False
    assert upstream.count(transport="udp") == 0


@pytest.mark.parametrize("name,trusted", [("other.test", True), ("dns.test", False)])
def test_defence_21_strict_refuses_other_certificates(encrypted, name, trusted):
    client, upstream, _ = encrypted("Tls=strict", f"ServerName={name}", trusted=trusted)
    with pytest.raises(CallError) as caught:
        client.call(wire.RESOLVE, host="one.test", family="inet", timeoutUsec=3 * SECOND)
    assert caught.value.name in (wire.RESOLVER + ".ServerFailed", wire.TIMED_OUT)
    assert upstream.log() == [], "not a question reached the server"


def test_defence_21_strict_never_speaks_plainly(asker):
    made = asker(["Tls=strict", "ServerName=dns.test"])
    error = made.error(wire.RESOLVE, host="one.test", family="inet", timeoutUsec=3 * SECOND)
    assert error.name in (wire.RESOLVER + ".ServerFailed", wire.TIMED_OUT)
    assert made.upstream.log() == []


@pytest.mark.parametrize("trusted", [True, False])
def test_defence_22_opportunistic_is_not_confidential(encrypted, trusted):
    client, _, front = encrypted("Tls=opportunistic", trusted=trusted)
    reply = client.call(wire.RESOLVE, host="one.test", family="inet")
    assert reply["transport"] == "tls"
    assert reply["confidential"] is False
    assert front.connections >= 1


def test_defence_22_opportunistic_falls_back_and_says_so(asker):
    made = asker(["Tls=opportunistic"])
    reply = made.ask("one.test", timeoutUsec=5 * SECOND)
    assert reply["transport"] in ("udp", "tcp")
    assert reply["confidential"] is False


def test_defence_22_authenticated_is_the_word_of_trusted_servers(start):
    """AD of a server that resolv.conf does not call trusted (trust-ad) says nothing."""
    with Upstream() as upstream:
        upstream.rule("*", "A", [address(TRUE)], flags=0x20)
        with Client(start(resolve=upstream.lines()).socket) as client:
            reply = client.call(wire.RESOLVE, host="one.test", family="inet")
            assert reply["authenticated"] is False
            assert reply["confidential"] is False


# Who may look and change


PRIVILEGED = [(wire.LIST_SERVERS, {}), (wire.DUMP_CACHE, {}), (wire.FLUSH_CACHE, {}),
              (wire.EXPLAIN, {"host": "one.test", "service": "80"})]


@pytest.mark.parametrize("method,parameters", PRIVILEGED)
def test_defence_23_what_spies_or_changes_is_for_the_control_socket(asker, method, parameters):
    made = asker()
    error = made.error(method, **parameters)
    assert error.name == wire.PERMISSION_DENIED
    made.control.call(method, **parameters)


# Reload


def test_defence_30_reload_under_load_fails_nobody(asker):
    made = asker()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(made.daemon.socket)) for _ in range(16)]
        for turn in range(30):
            for number, client in enumerate(clients):
                client.send(wire.RESOLVE, {"host": f"n{number}.t{turn}.test", "family": "inet"})
            made.daemon.process.send_signal(signal.SIGHUP)
            for client in clients:
                assert wire.result(client.receive()[0])["endpoints"][0]["address"] == TRUE


def test_defence_30_bad_configuration_changes_nothing(asker):
    made = asker()
    made.daemon.write_config("[Resolve]\nNonsense=1\n")
    made.daemon.process.send_signal(signal.SIGHUP)
    made.daemon.wait_stderr("Nonsense")
    assert made.addresses("one.test") == [TRUE]
