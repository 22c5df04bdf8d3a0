# SPDX-License-Identifier: MIT
"""asockctl's verbs of the resolver, and those of what was learnt: what they ask, what they print, how they end. The daemon is a
scripted one (fakedaemon.py), so that every answer and every error can be had at will."""

import json
import re
import subprocess
import threading

import pytest

import wire
from asockctl import endpoint, manual_examples, on_a_terminal, run
from daemon import source_dir, tool
from fakedaemon import FakeDaemon, error
from idl import Interface

RECORD = wire.RESOLVER + ".ResolveRecord"
ADDRESS = wire.RESOLVER + ".ResolveAddress"
SERVICE = wire.RESOLVER + ".ResolveService"
SERVERS = wire.MANAGER + ".ListServers"
CACHE = wire.MANAGER + ".DumpCache"
FLUSH = wire.MANAGER + ".FlushCache"
HISTORY = wire.MANAGER + ".DumpHistory"
FORGET = wire.MANAGER + ".FlushHistory"
EXPLAIN = wire.MANAGER + ".Explain"

NAME_NOT_FOUND = wire.RESOLVER + ".NameNotFound"
NO_DATA = wire.RESOLVER + ".NoData"
SERVER_FAILED = wire.RESOLVER + ".ServerFailed"

NS = "192.0.2.53:53"


# What the daemon has to say. The examples of asockctl(1) are made of it.


def seconds(number):
    """In microseconds, as the wire has it."""
    return round(number * 1000000)


def answer(milliseconds=12.1, ttl=None, source="dns", server=NS, transport="udp", trip=11.9,
           authenticated=False, confidential=False, **more):
    """What the replies of the resolver have in common, and more."""
    made = {**more, "source": source, "authenticated": authenticated, "confidential": confidential,
            "resolveUsec": round(milliseconds * 1000)}
    if ttl is not None:
        made["ttlUsec"] = seconds(ttl)
    if server:
        made["server"] = server
    if server and transport:
        made.update(transport=transport, roundTripUsec=round(trip * 1000))
    return made


def record(name, kind, ttl, text):
    """A Record of the interface."""
    return {"name": name, "type": kind, "ttlUsec": seconds(ttl), "text": text, "data": "AA=="}


def records(*found, **more):
    """A reply to ResolveRecord."""
    return answer(records=list(found), rcode="NOERROR", ttl=found[-1]["ttlUsec"] / 1000000, **more)


WWW = records(record("www.example.org", "CNAME", 200, "web.example.org."),
              record("web.example.org", "A", 59, "192.0.2.80"),
              source="cache", transport=None, milliseconds=0.021)
MX = records(record("example.org", "MX", 3600, "10 mail.example.org."))
TABLE = {
    ("example.org", "MX"): MX,
    ("www.example.org", "A"): WWW,
    ("www.example.org", "AAAA"): error(NO_DATA, name="www.example.org", server=NS),
}
PTR = answer(24.0, 3600, transport="tcp", trip=23.8, authenticated=True,
             names=["web.example.org"], confirmed=True, confirmedNames=["web.example.org"])
XMPP = answer(25.3, 900, name="_xmpp-client._tcp.example.org", targets=[
    {"name": "xmpp.example.org", "port": 5222, "priority": 5, "weight": 0,
     "endpoints": [endpoint("2001:db8::52", 5222), endpoint("192.0.2.52", 5222)]},
    {"name": "spare.example.org", "port": 5222, "priority": 10, "weight": 0, "endpoints": [],
     "error": NAME_NOT_FOUND}])
LOCALHOST = answer(0.012, source="synthetic", server=None, authenticated=True, confidential=True,
                   name="localhost", endpoints=[endpoint("::1", 443), endpoint("127.0.0.1", 443)])
GOOD = {"domains": ["."], "tls": "no", "state": "good", "roundTripUsec": 11900,
        "variationUsec": 2100, "questions": 1204, "answers": 1201, "unanswered": 3, "failures": 0,
        "edns": "yes", "cookie": "no", "tcp": "unknown", "endpoint": endpoint("192.0.2.53", 53)}
DEAD = {"domains": ["corp.example"], "tls": "no", "state": "dead", "questions": 9, "answers": 0,
        "unanswered": 9, "failures": 0, "edns": "unknown", "cookie": "unknown", "tcp": "unknown",
        "lastError": "ETIMEDOUT", "probeUsec": seconds(4),
        "endpoint": endpoint("2001:db8::53", 53)}
KEPT = {"name": "web.example.org", "type": "A", "kind": "positive", "ttlUsec": seconds(59),
        "hits": 12, "sizeBytes": 148, "server": NS, "authenticated": False, "confidential": False,
        "records": ["192.0.2.80"]}
STALE = {"name": "old.example.org", "type": "AAAA", "kind": "noData", "ttlUsec": seconds(-125),
         "hits": 1, "sizeBytes": 112, "server": NS, "authenticated": False, "confidential": False,
         "records": []}
DUMP = {"items": [KEPT, STALE], "omitted": 0, "entries": 340, "bytes": 62668, "maxBytes": 8388608,
        "hits": 5210, "staleHits": 4, "misses": 341, "evictions": 0}
FAST = {"endpoint": endpoint("192.0.2.80", 443), "protocol": "tcp", "network": "8c0f3a5d1b27e946",
        "state": "good", "roundTripUsec": 21000, "variationUsec": 3100, "foreign": False,
        "lastUsec": seconds(95), "connected": 17, "failed": 0}
SILENT = {"endpoint": endpoint("2001:db8::80", 443), "protocol": "tcp", "state": "dead",
          "network": "8c0f3a5d1b27e946", "foreign": False, "deadUsec": seconds(48),
          "probeUsec": seconds(12), "lastUsec": seconds(7300), "connected": 4, "failed": 1}
REFUSING = {"endpoint": endpoint("192.0.2.81", 8443), "protocol": "tcp", "state": "dead",
            "network": "8c0f3a5d1b27e946", "foreign": False, "deadUsec": seconds(200),
            "error": "ECONNREFUSED", "probeUsec": 0, "connected": 0, "failed": 3}
LEARNT = {"items": [FAST, SILENT, REFUSING], "omitted": 0, "entries": 112, "maxEntries": 65536}
EXPLAINED = {
    "name": "www.example.org", "questionsOmitted": 0, "resolveUsec": 12400,
    "questions": [
        {"name": "www.example.org", "type": "AAAA", "outcome": "found", "source": "cache",
         "server": NS, "ttlUsec": seconds(59)},
        {"name": "www.example.org", "type": "A", "outcome": "found", "source": "dns", "server": NS,
         "transport": "udp", "roundTripUsec": 11900, "ttlUsec": seconds(300)}],
    "candidates": [
        {"endpoint": endpoint("2001:db8::80", 443), "target": "www.example.org", "source": "cache",
         "sourceAddress": "2001:db8::99", "reason": "not known as dead or disliked",
         "roundTripUsec": 21000, "dead": False, "allowed": True},
        {"endpoint": endpoint("192.0.2.80", 443), "target": "www.example.org", "source": "dns",
         "sourceAddress": "192.0.2.99", "dead": True, "allowed": True}]}
REPLIES = {
    RECORD: lambda asked: TABLE[asked["name"], asked["type"]],
    ADDRESS: PTR,
    SERVICE: XMPP,
    wire.RESOLVE: LOCALHOST,
    SERVERS: {"servers": [GOOD, DEAD], "questions": 1213, "hedges": 4},
    CACHE: DUMP,
    FLUSH: lambda asked: {"flushed": 17 if "kind" in asked else 2},
    HISTORY: LEARNT,
    FORGET: {"flushed": 112},
    EXPLAIN: EXPLAINED,
}

# One call of each verb that succeeds, with the method that it needs.
VERBS = {
    "resolve": (wire.RESOLVE, ["resolve", "localhost", "https"]),
    "query": (RECORD, ["query", "example.org/MX"]),
    "query PTR": (ADDRESS, ["query", "192.0.2.80"]),
    "service": (SERVICE, ["service", "example.org", "xmpp-client"]),
    "servers": (SERVERS, ["servers"]),
    "cache": (CACHE, ["cache"]),
    "flush": (FLUSH, ["flush", "--all"]),
    "history": (HISTORY, ["history"]),
    "flush history": (FORGET, ["flush", "--history"]),
    "explain": (EXPLAIN, ["explain", "www.example.org", "443"]),
}


def ask(replies, *arguments):
    """The same with a daemon for this one call, whose calls come last."""
    with FakeDaemon({**REPLIES, **replies}) as daemon:
        result = run(daemon, *arguments)
    return (*result, daemon.calls)


# The manual


EXAMPLES = list(manual_examples({arguments[0] for _, arguments in VERBS.values()}))


def test_the_manual_has_an_example_of_each_verb():
    assert {example.values[0][0] for example in EXAMPLES} == {
        arguments[0] for _, arguments in VERBS.values()}


@pytest.mark.parametrize("arguments, output", EXAMPLES)
def test_the_manual_shows_what_is_printed(arguments, output):
    assert ask({}, *arguments)[:3] == (0, output, "")


# What all of them have in common


@pytest.mark.parametrize("method", REPLIES)
def test_the_scripted_replies_are_as_described(method):
    interface, name = method.rsplit(".", 1)
    described = Interface((source_dir() / f"protocol/{interface}.varlink").read_text())
    replies = {RECORD: [MX, WWW], FLUSH: [{"flushed": 2}]}.get(method, [REPLIES[method]])
    for reply in replies:
        described.check(reply, described.methods[name][1], method)


@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_json_is_the_reply_on_one_line(method, arguments):
    code, output, said, _ = ask({}, "--json", *arguments)
    assert (code, said) == (0, "")
    assert output.count("\n") == 1
    reply = {RECORD: MX, FLUSH: {"flushed": 2}}.get(method, REPLIES[method])
    assert json.loads(output) == reply


ERRORS = {
    NAME_NOT_FOUND: (2, "the name does not exist"),
    NO_DATA: (3, "the name exists but has no data of this kind"),
    wire.RESOLVER + ".ServiceUnavailable": (3, "the service is not offered there"),
    wire.TIMED_OUT: (4, "the time ran out"),
    SERVER_FAILED: (5, "the name servers could not answer"),
    wire.RESOLVER + ".NoServers": (5, "no name server is configured"),
    wire.RESOLVER + ".InvalidName": (1, "the name, address or record type is not valid"),
    wire.RESOLVER + ".UnknownService": (1, "the service is not known"),
    wire.DENIED: (8, "the policy does not allow it"),
    wire.SERVICE + ".PermissionDenied": (8, "not allowed on this socket"),
    wire.SERVICE + ".MethodNotFound": (1, "the method does not exist"),
    "org.example.New": (5, "org.example.New"),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_errors(method, arguments, name):
    status, text = ERRORS[name]
    refusal = error(name, note="so it is")
    code, output, said, _ = ask({method: refusal}, *arguments)
    assert (code, output) == (status, "")
    assert said.splitlines()[0].startswith(f"asockctl: {arguments[0]}")
    assert said.splitlines()[0].endswith(f": {text}")
    assert "  note so it is\n" in said
    code, output, said, _ = ask({method: refusal}, "--json", *arguments)
    assert (code, json.loads(output), said) == (status, refusal, "")


@pytest.mark.parametrize("server, shown", [
    ({"servers": [NS, "[2001:db8::53]:53"]}, f"the name servers asked: {NS}, [2001:db8::53]:53"),
    ({"server": NS}, f"the name server that answered: {NS}"),
    ({"server": endpoint("2001:db8::53", 53)}, "the name server that answered: [2001:db8::53]:53"),
])
@pytest.mark.parametrize("verb", ["query", "query PTR", "service", "resolve"])
def test_errors_name_the_servers_and_what_they_said(verb, server, shown):
    method, arguments = VERBS[verb]
    ede = {"code": 22, "name": "No Reachable Authority", "text": "tried for 5 s"}
    said = ask({method: error(SERVER_FAILED, rcode="SERVFAIL", ede=ede, **server)}, *arguments)[2]
    assert f"  {shown}\n" in said
    assert "  it says: extended error 22 (No Reachable Authority): tried for 5 s\n" in said
    assert "  rcode SERVFAIL\n" in said


def test_errors_of_connect_name_the_servers_too():
    late = error(wire.TIMED_OUT, stage="resolve", attempts=[], servers=[NS])
    code, _, said, _ = ask({wire.CONNECT: late}, "connect", "www.example.org", "443")
    assert code == 4
    assert f"  the name servers asked: {NS}\n" in said
    gone = error(wire.RESOLVER + ".ServiceUnavailable", name="_x._tcp.example.org")
    assert ask({wire.CONNECT: gone}, "connect", "example.org", "x")[0] == 3


@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_a_daemon_that_hangs_up(method, arguments):
    code, output, said, _ = ask({method: lambda _: None}, *arguments)
    assert (code, output) == (7, "")
    assert "ECONNRESET" in said


@pytest.mark.parametrize("_, arguments", VERBS.values(), ids=VERBS)
def test_no_daemon(tmp_path, _, arguments):
    done = subprocess.run([tool("asockctl"), "--socket", str(tmp_path / "asockd.sock"), *arguments],
                          capture_output=True, text=True, check=False, timeout=60)
    manager = arguments[0] in ("servers", "cache", "flush", "explain", "history")
    name = "control.sock" if manager else "asockd.sock"
    assert done.returncode == 7
    assert f"no daemon at {tmp_path}/{name}: is asockd running?" in done.stderr


@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_manager_is_asked_over_the_control_socket(method, arguments):
    sockets = {asked[0] for asked in ask({}, *arguments)[3]}
    assert sockets == {"control" if method.startswith(wire.MANAGER) else "public"}


def test_control_socket_by_option():
    with FakeDaemon(REPLIES) as daemon:
        moved = daemon.directory / "elsewhere"
        daemon.control.rename(moved)
        assert run(daemon, "servers")[0] == 7
        assert run(daemon, "servers", "--control", str(moved))[0] == 0


@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_timeout(method, arguments):
    """It is the daemon's where the method knows it, and asockctl's own elsewhere."""
    asked = ask({}, "--timeout", "2.5", *arguments)[3][0][2]
    knows = method.startswith(wire.RESOLVER) or method == EXPLAIN
    assert asked.get("timeoutUsec") == (2500000 if knows else None)


def test_timeout_of_a_silent_daemon():
    done = threading.Event()
    with FakeDaemon({SERVERS: lambda _: done.wait(20) and None}) as daemon:
        code, _, said = run(daemon, "--timeout", "0.1", "servers")
        done.set()
    assert code == 4
    assert "no answer from the daemon" in said


@pytest.mark.parametrize("_, arguments", VERBS.values(), ids=VERBS)
def test_lines_do_not_end_in_blanks(_, arguments):
    assert not re.search("[ \t]\n", ask({}, *arguments)[1])


HOSTILE = "\x1b[31m\x07\nFAKE\x7f\u009b\t"


def poison(value):
    """The same reply with this in place of every text."""
    if isinstance(value, dict):
        return {name: poison(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [poison(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("reply", ["result", "error"])
@pytest.mark.parametrize("option", [[], ["--json"], ["--short"]], ids=["text", "json", "short"])
@pytest.mark.parametrize("method, arguments", VERBS.values(), ids=VERBS)
def test_control_characters_are_escaped(method, arguments, option, reply):
    if option == ["--short"] and arguments[0] not in ("query", "service", "resolve"):
        return
    result = {RECORD: MX, FLUSH: {"flushed": 2}, wire.RESOLVE: None}.get(method, REPLIES[method])
    ede = {"code": 1, "name": "x", "text": "x"}
    if reply == "error" or result is None:
        made = poison(error("x", servers=["x"], ede=ede, name="x"))
    else:
        made = poison({**result, "ede": ede})
    _, output, said, _ = ask({method: made}, *option, *arguments)
    assert output + said
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", output + said)
    assert "\nFAKE" not in output + said
    if option == ["--json"]:
        assert json.loads(output) == (made if reply == "error" or result is None else made)
    elif arguments[0] != "flush" or reply == "error":
        assert r"\027[31m\007\010FAKE\127\194\155\009" in output + said


@pytest.mark.parametrize("verb", ["query", "servers", "cache", "explain", "service", "history"])
def test_colours_are_for_terminals(verb):
    arguments = VERBS[verb][1]
    with FakeDaemon(REPLIES) as daemon:
        plain = run(daemon, *arguments)[1]
        coloured = on_a_terminal(daemon, *arguments)
        assert "\033" not in plain
        assert "\033[" in coloured
        assert re.sub("\033\\[[0-9]*m", "", coloured) == plain
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert on_a_terminal(daemon, *arguments, environment=environment.items()) == plain


@pytest.mark.parametrize("arguments", [
    ["query"], ["service"], ["service", "a", "b", "c"], ["servers", "x"], ["cache", "a", "b"],
    ["flush"], ["flush", "a", "b"], ["flush", "--all", "a"], ["explain", "host"],
    ["query", "/MX"], ["service", "example.org"], ["service", "_x._quic.example.org"],
    ["service", "_x._tcp."], ["service", "._tcp.example.org"], ["service", "_._tcp.example.org"],
    ["query", "-4", "a"], ["servers", "--short"], ["cache", "--negative"], ["query", "--all", "a"],
    ["history", "a", "b"], ["history", "--history"], ["flush", "--history", "a"],
    ["flush", "--history", "--all"], ["flush", "--stale", "--history"],
    ["flush", "--probe", "a"], ["ping", "--stale"], ["query", b"\xff"], ["explain", b"\xff", "1"],
], ids=repr)
def test_usage(arguments):
    code, output, said, calls = ask({}, *arguments)
    assert (code, output, calls) == (1, "", [])
    assert said.startswith("asockctl: ")


# query


def asked_for(*arguments):
    """(name, type) of each question in their order, or the address."""
    def any_record(asked):
        return records(record(asked["name"], asked["type"], 1, "x"))

    _, output, _, calls = ask({RECORD: any_record}, "--json", "query", *arguments)
    found = [(asked.get("name", asked.get("address")), asked.get("type"))
             for _, _, asked in calls]
    assert len(output.splitlines()) == len(found)
    return sorted(found, key=str)


def test_query_reads_its_arguments_in_any_order():
    assert asked_for("a.test") == [("a.test", "A"), ("a.test", "AAAA")]
    assert asked_for("a.test/mx", "b.test/Type65") == [("a.test", "MX"), ("b.test", "TYPE65")]
    both = [("a.test", "MX"), ("b.test", "TXT")]
    assert asked_for("/MX", "a.test", "b.test/TXT") == both
    assert asked_for("a.test", "b.test/TXT", "/mx") == both
    assert asked_for("a.test", "/MX", "/TXT") == [("a.test", "MX"), ("a.test", "TXT")]
    for address in ("192.0.2.1", "2001:db8::1", "fe80::1%lo"):
        assert asked_for(address, "/MX") == [(address, None)]
    # RFC 2317: a slash in a name.
    assert asked_for("0/25.2.0.192.in-addr.arpa/PTR") == [("0/25.2.0.192.in-addr.arpa", "PTR")]
    assert asked_for("0/25.2.0.192.in-addr.arpa", "/NS") == [("0/25.2.0.192.in-addr.arpa", "NS")]


def test_query_asks_everything_at_once():
    together = threading.Barrier(8, timeout=20)

    def wait(asked):
        together.wait()
        return records(record(asked["name"], asked["type"], 1, "x"))

    code, output, _, _ = ask({RECORD: wait}, "query", "--short", "a", "b", "c", "d")
    assert (code, output) == (0, "x\n" * 8)


def test_query_answers_in_the_order_of_its_arguments():
    names = [f"name{number}.test" for number in range(100)]
    output = ask({RECORD: lambda asked: records(record(asked["name"], "TXT", 1, asked["name"]))},
                 "query", "--short", "/TXT", *names)[1]
    assert output.split() == names


def test_query_aligns_all_answers_with_each_other():
    def reply(asked):
        return records(record(asked["name"], asked["type"], len(asked["name"]) ** 5, "data"))

    output = ask({RECORD: reply}, "query", "/TXT", "a", "much.longer.test", "b\u00fccher.test/A")[1]
    lines = [line for line in output.splitlines() if line[0] != "#"]
    assert len(lines) == 3
    assert len({line.index("data") for line in lines}) == 1
    assert [line.split()[0] for line in lines] == ["a", "much.longer.test", "b\u00fccher.test"]


@pytest.mark.parametrize("ttl, shown", [
    (0, "0 ms"), (0.4, "400 ms"), (1, "1 s"), (59.9, "59 s"), (60, "1 m"), (200, "3 m 20 s"),
    (3600, "1 h"), (3660, "1 h 1 m"), (3601, "1 h"), (86400, "1 d"), (100000, "1 d 3 h"),
    (2147483647, "24855 d 3 h")])
def test_times_to_live_are_in_units_of_people(ttl, shown):
    output = ask({RECORD: records(record("a", "A", ttl, "x"))}, "query", "a/A")[1]
    assert output.splitlines()[0] == f"a  {shown}  A  x"
    assert f", ttl {shown}, " in output


@pytest.mark.parametrize("more, trailer", [
    ({"ttl": -125, "source": "stale"}, f"stale, {NS} over udp in 11.9 ms, expired 2 m 5 s ago"),
    ({"ttl": 60, "server": None}, "dns, ttl 1 m"),
    ({"transport": "tls", "trip": 31.4}, f"dns, {NS} over tls in 31.4 ms"),
    ({"source": "hosts", "server": None}, "hosts"),
])
def test_trailer(more, trailer):
    reply = answer(**more, records=[], rcode="NOERROR")
    assert ask({RECORD: reply}, "query", "a/A")[1] == (
        f"# a A: {trailer}, not authenticated, not confidential, answered in 12.1 ms\n")


def test_trailer_has_the_extended_error_and_the_rcode():
    reply = answer(records=[], rcode="YXDOMAIN", authenticated=True, confidential=True,
                   ede={"code": 3, "name": "Stale Answer"})
    assert ask({RECORD: reply}, "query", "a/A")[1].splitlines() == [
        f"# a A: dns, {NS} over udp in 11.9 ms, authenticated, confidential, answered in 12.1 ms",
        "# a A: extended error 3 (Stale Answer)", "# a A: YXDOMAIN"]


def test_trailer_of_an_address_that_is_not_confirmed():
    def reply(**more):
        return answer(names=["a.test", "b.test"], confirmed=False, **more)

    output = ask({ADDRESS: reply(confirmedNames=["b.test"])}, "query", "192.0.2.1")[1]
    assert "# 192.0.2.1 PTR: not confirmed, what leads back to it: b.test\n" in output
    output = ask({ADDRESS: reply(confirmedNames=[])}, "query", "192.0.2.1")[1]
    assert "# 192.0.2.1 PTR: not confirmed, what leads back to it: nothing\n" in output


def by_type(**replies):
    """A table of ResolveRecord by type."""
    return {RECORD: lambda asked: replies[asked["type"]]}


FOUND = records(record("a", "A", 1, "192.0.2.1"))
NOTHING = error(NO_DATA, name="a", server=NS, ede={"code": 0})
FAILED = error(SERVER_FAILED, servers=[NS])
MISSING = error(NAME_NOT_FOUND, name="a")


@pytest.mark.parametrize("first, second, status, shown", [
    (FOUND, NOTHING, 0, None),
    (NOTHING, FOUND, 0, None),
    (NOTHING, NOTHING, 3, "query a A: the name exists"),
    (MISSING, MISSING, 2, "query a A: the name does not"),
    (FOUND, FAILED, 5, "query a AAAA: the name servers"),
    (NOTHING, FAILED, 5, "query a AAAA: the name servers"),
    (MISSING, FOUND, 2, "query a A: the name does not"),
])
def test_both_families_are_judged_together(first, second, status, shown):
    replies = by_type(A=first, AAAA=second)
    code, output, said, _ = ask(replies, "query", "a")
    assert code == status
    assert ("192.0.2.1" in output) == (FOUND in (first, second))
    assert said.count("asockctl: ") == (1 if shown else 0)
    assert not shown or said.startswith(f"asockctl: {shown}")
    if status == 0:
        assert re.search(rf"# a A+: no data, {NS}, extended error 0\n", output)
    code, output, said, _ = ask(replies, "--json", "query", "a")
    assert (code, said) == (status, "")
    assert [json.loads(line) for line in output.splitlines()] == [first, second]


def test_the_first_failure_is_the_exit_code():
    replies = {RECORD: lambda asked: {"good": FOUND, "failed": FAILED, "missing": MISSING}[
        asked["name"]]}
    code, output, said, _ = ask(replies, "query", "/A", "good", "failed", "missing", "good")
    assert code == 5
    assert output.count("192.0.2.1") == 2
    assert said.count("asockctl: query") == 2
    assert ask(replies, "query", "missing/A", "failed/A")[0] == 2


def test_a_want_of_the_daemon_is_told_once(tmp_path):
    done = subprocess.run([tool("asockctl"), "--socket", str(tmp_path / "none"), "query", "a", "b"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 7
    assert done.stderr.count("asockctl: ") == 1


def test_the_way_to_the_records_is_shown_once():
    way = record("www.test", "CNAME", 60, "web.test.")
    replies = by_type(A=records(way, record("web.test", "A", 60, "192.0.2.1")),
                      AAAA=records(way, record("web.test", "AAAA", 60, "2001:db8::1")),
                      CNAME=records(way))
    assert ask(replies, "query", "www.test")[1].count("CNAME") == 1
    assert ask(replies, "query", "www.test", "--short")[1] == "192.0.2.1\n2001:db8::1\n"
    assert ask(replies, "query", "www.test/CNAME", "--short")[1] == "web.test.\n"


# service


@pytest.mark.parametrize("arguments, parameters", [
    (["example.org", "imaps"], {"service": "imaps", "domain": "example.org"}),
    (["_imaps._tcp.example.org"], {"service": "imaps", "protocol": "tcp", "domain": "example.org"}),
    (["_sip._UDP.example.org."], {"service": "sip", "protocol": "udp", "domain": "example.org."}),
    (["-6", "_x._sctp.a.b"], {"service": "x", "protocol": "sctp", "domain": "a.b",
                             "family": "inet6"}),
])
def test_service_reads_its_arguments(arguments, parameters):
    assert ask({}, "service", *arguments)[3] == [("public", SERVICE, parameters)]


def test_service_short():
    assert ask({}, "service", "--short", "example.org", "xmpp-client")[1] == (
        "xmpp.example.org 5222\nspare.example.org 5222\n")


def test_resolve_short():
    assert ask({}, "resolve", "--short", "localhost", "https")[1] == (
        "::1 port 443\n127.0.0.1 port 443\n")


# servers, cache, flush, explain


def test_servers_with_tls_and_without_any():
    strict = {**GOOD, "tls": "strict", "tlsName": "dns.example", "cookie": "yes", "tcp": "yes"}
    output = ask({SERVERS: {"servers": [strict], "questions": 1, "hedges": 0}}, "servers")[1]
    assert re.search(r"  edns cookie tcp  strict, dns\.example  \.\n", output)
    assert ask({SERVERS: {"servers": [], "questions": 0, "hedges": 0}}, "servers")[1] == (
        "# 0 servers, 0 questions; 0 were put to a second server as well\n")


def test_cache_shows_a_record_a_line():
    item = {**KEPT, "records": ["192.0.2.80", "192.0.2.81"], "authenticated": True}
    dump = {**DUMP, "items": [item], "omitted": 83}
    output = ask({CACHE: dump}, "cache")[1].splitlines()
    assert output[1].index("192.0.2.80") == output[2].index("192.0.2.81")
    assert output[2].strip() == "192.0.2.81"
    assert "  authenticated  " in output[1]
    assert output[3] == "# and 83 more that fit; a narrower pattern shows them"


def test_cache_takes_a_pattern():
    assert ask({}, "cache", "*.org")[3] == [("control", CACHE, {"glob": "*.org"})]
    assert ask({}, "cache")[3] == [("control", CACHE, {})]


@pytest.mark.parametrize("arguments, asked", [
    (["--all"], [{}]),
    (["a.test"], [{"name": "a.test"}]),
    (["*.test/mx"], [{"name": "*.test", "type": "MX"}]),
    (["0/25.arpa"], [{"name": "0/25.arpa"}]),
    (["--failures"], [{"kind": "failure"}]),
    (["--all", "--negative"], [{"kind": "negative"}]),
    (["a.test", "--stale", "--negative"], [{"name": "a.test", "kind": "negative"},
                                           {"name": "a.test", "kind": "stale"}]),
], ids=str)
def test_flush(arguments, asked):
    code, output, _, calls = ask({FLUSH: {"flushed": 3}}, "flush", *arguments)
    assert (code, output) == (0, f"{3 * len(asked)} forgotten\n")
    assert calls == [("control", FLUSH, parameters) for parameters in asked]


def test_history_takes_a_pattern():
    assert ask({}, "history", "2001:*")[3] == [("control", HISTORY, {"glob": "2001:*"})]
    assert ask({}, "history")[3] == [("control", HISTORY, {})]
    assert ask({}, "flush", "--history")[3] == [("control", FORGET, {})]


def test_history_tells_for_whom_and_over_what():
    item = {**FAST, "protocol": "sctp", "partition": "00000000000000aa", "route": "ffffffffffffffff",
            "endpoint": {**endpoint("fe80::1", 80), "scope": "eth0"}}
    output = ask({HISTORY: {**LEARNT, "items": [item], "omitted": 3}}, "history")[1].splitlines()
    assert output[0].split() == ["address", "port", "protocol", "network", "for", "options", "round",
                                 "trip", "variation", "state", "connected", "failed", "last"]
    assert output[1].split()[:6] == ["fe80::1%eth0", "80", "sctp", "27e946", "0000aa", "ffffff"]
    assert output[2:] == ["# and 3 more that fit; a narrower pattern shows them",
                          "# 1 of 112 destinations; there is room for 65536"]


def test_history_that_is_off():
    nothing = {"items": [], "omitted": 0, "entries": 0, "maxEntries": 0}
    assert ask({HISTORY: nothing}, "history")[1] == "# nothing is learnt: History=off\n"


def test_explain_takes_what_connect_takes():
    assert ask({}, "explain", "-4", "a.test", "443")[3][0][2] == {
        "host": "a.test", "service": "443", "family": "inet"}
    assert ask({}, "explain", "a.test:443")[3][0][2] == {"target": "a.test:443"}


def test_explain_fails_as_connect_would():
    denied = {**EXPLAINED, "error": wire.DENIED, "questionsOmitted": 2, "candidates": [
        {"endpoint": endpoint("10.0.0.1", 443), "target": "a", "source": "dns", "allowed": False}]}
    code, output, said, _ = ask({EXPLAIN: denied}, "explain", "a", "443")
    assert (code, said) == (8, "")
    assert re.search(r"^1  10\.0\.0\.1 port 443  a +dns +no route  denied$", output, re.M)
    assert "# and 2 questions more\n" in output
    assert output.endswith("# connect would fail: the policy does not allow it\n")
    code, output, _, _ = ask({EXPLAIN: denied}, "--json", "explain", "a", "443")
    assert (code, json.loads(output)) == (8, denied)


def test_explain_says_why_a_question_failed():
    question = {"name": "a", "type": "A", "outcome": "nameNotFound", "source": "dns",
                "ede": {"code": 15, "name": "Blocked", "text": "by rule"}}
    reply = {**EXPLAINED, "questions": [question], "candidates": [], "error": NAME_NOT_FOUND}
    code, output, _, _ = ask({EXPLAIN: reply}, "explain", "a", "443")
    assert code == 2
    assert "name not found" in output
    assert "extended error 15 (Blocked): by rule" in output
