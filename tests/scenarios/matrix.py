# SPDX-License-Identifier: MIT
"""The matrix of the resolver: what a client waits for when name servers are slow, silent or broken,
each with its bound. tests/bench/resolver.py prints it, test_resolver_matrix.py asserts it.

The servers are scripted (upstream.py) and answer after 5 ms unless they are told otherwise. Times
are those that a client of the unix socket sees. The bounds leave little room for a busy machine, so
each row is run several times, with a fresh daemon where the first lookup ever is meant, and a
median is held against the bound; where two answers of 5 ms leave 2 ms of room, it is the best.
"""

import collections
import contextlib
import json
import statistics
import time

import wire
from daemon import Daemon, wait_for
from peers import Greeter
from upstream import SERVFAIL, Upstream
from wire import CallError, Client

REPETITIONS = 5
LATER = 20  # lookups that follow the first
LOOKUPS = 1000  # over which duplicates are counted
FRESH_SECONDS = 30

# One figure of a scenario. judge: what of the values has to be within the bound.
Part = collections.namedtuple("Part", "part bound unit values judge")
Scenario = collections.namedtuple("Scenario", "name text run")
SCENARIOS = []


def scenario(text):
    """Makes a row of a function that answers its parts."""
    def add(function):
        SCENARIOS.append(Scenario(function.__name__, text, function))
        return function
    return add


def holds(part):
    """Whether a part is within its bound."""
    return bool(part.values) and part.judge(part.values) <= part.bound


def milliseconds(part, bound, values, judge=statistics.median):
    """A part whose values are seconds."""
    return Part(part, bound, "ms", [value * 1000 for value in values], judge)


@contextlib.contextmanager
def daemon_for(upstream, resolve=(), **keywords):
    """A fresh daemon that asks these servers, and a client of it."""
    with Daemon(resolve=[*upstream.lines(), *resolve], **keywords) as daemon, \
            Client(daemon.socket, timeout=60) as client:
        yield daemon, client


def lookup(client, host, **parameters):
    """(seconds, reply) of a lookup of both families."""
    began = time.monotonic()
    reply = client.call(wire.RESOLVE, host=host, **parameters)
    return time.monotonic() - began, reply


def first_and_later(upstream, prepare):
    """Seconds of the first lookups of fresh daemons, and of those that follow."""
    first, later = [], []
    for _ in range(REPETITIONS):
        prepare(upstream)
        with daemon_for(upstream) as (_, client):
            first.append(lookup(client, "first.test")[0])
            later += [lookup(client, f"later{number}.test")[0] for number in range(LATER)]
    return first, later


def duplicates(upstream):
    """Questions beyond one for each name and type, percent, over many lookups."""
    upstream.forget()
    with daemon_for(upstream) as (_, client):
        for number in range(LOOKUPS):
            lookup(client, f"n{number}.test")
    questions = [(question.name, question.type) for question in upstream.log()]
    different = len(set(questions))
    assert different >= 2 * LOOKUPS
    return 100 * (len(questions) - different) / different


@scenario("two servers, first silent")
def first_silent():
    """Hedging, and memory of servers."""
    with Upstream(2) as upstream:
        upstream.answer_all()
        first, later = first_and_later(upstream, lambda up: up.manner(0, silent=1))
        return [milliseconds("first lookup ever", 100, first),
                milliseconds("later lookups", 10, later),
                Part(f"duplicates in {LOOKUPS}", 5, "%", [duplicates(upstream)], max)]


@scenario("two servers, both well")
def both_well():
    """Hedging costs next to nothing when it is not needed."""
    with Upstream(2) as upstream:
        upstream.answer_all()
        return [Part(f"duplicates in {LOOKUPS}", 5, "%", [duplicates(upstream)], max)]


@scenario("warm, then the server in use dies")
def server_dies():
    """The first server dies; or the second, should that be the one that is asked."""
    after = []
    with Upstream(2) as upstream:
        upstream.answer_all()
        for _ in range(REPETITIONS):
            upstream.reset(0)
            upstream.reset(1)
            upstream.forget()
            with daemon_for(upstream) as (_, client):
                for number in range(LATER):
                    lookup(client, f"warm{number}.test")
                upstream.manner(upstream.log()[-1].server, silent=1)
                after.append(lookup(client, "after.test")[0])
    return [milliseconds("next lookup", 50, after)]


@scenario("first server's port closed")
def port_closed():
    """The kernel tells at once that nobody is there."""
    with Upstream(2) as upstream:
        upstream.answer_all()
        upstream.close(0)
        first, later = first_and_later(upstream, lambda up: None)
        return [milliseconds("first lookup ever", 10, first),
                milliseconds("later lookups", 10, later)]


@scenario("first server SERVFAIL")
def server_fails():
    """Two answers of 5 ms, one after the other."""
    with Upstream(2) as upstream:
        upstream.answer_all()
        first, later = first_and_later(upstream, lambda up: up.manner(0, fail=SERVFAIL))
        return [milliseconds("first lookup ever", 12, first, min),
                milliseconds("later lookups", 12, later)]


@scenario("AAAA dropped, A answered")
def aaaa_dropped():
    """The connection does not wait for a family that does not come."""
    first, later = [], []
    with Upstream() as upstream, Greeter() as greeter:
        upstream.answer_all(addresses=["127.0.0.1"])
        upstream.rule("*", "AAAA", silent=1)
        for _ in range(REPETITIONS):
            with daemon_for(upstream) as (_, client):
                for number in range(1 + LATER // 4):
                    reply, connection = client.connect(f"n{number}.test", greeter.port)
                    connection.close()
                    (later if number else first).append(reply["attempts"][0]["startedUsec"] / 1e6)
    return [milliseconds("first attempt, first call", 60, first),
            milliseconds("first attempt, later calls", 60, later)]


@scenario("all servers silent, deadline 3 s")
def all_silent():
    """The deadline is the client's, and the error says who was asked."""
    elapsed, unnamed = [], []
    with Upstream(2) as upstream:
        upstream.answer_all()
        upstream.manner(0, silent=1)
        upstream.manner(1, silent=1)
        for _ in range(REPETITIONS // 2 + 1):
            with daemon_for(upstream) as (_, client):
                began = time.monotonic()
                try:
                    reply = client.call(wire.RESOLVE, host="n.test", timeoutUsec=3_000_000)
                    raise AssertionError(f"an answer from nowhere: {reply}")
                except CallError as error:
                    elapsed.append(time.monotonic() - began)
                    told = json.dumps(error.parameters)
                    unnamed.append(sum(server not in told for server in upstream.servers()))
    return [milliseconds("until the error", 3020, elapsed),
            Part("servers that it does not name", 0, "", unnamed, max)]


@scenario("server drops queries with EDNS")
def edns_dropped():
    """Learnt once, for the server."""
    with Upstream() as upstream:
        upstream.answer_all()
        first, later = first_and_later(upstream, lambda up: up.manner(0, drop_edns=1))
        return [milliseconds("first lookup ever", 1000, first),
                milliseconds("later lookups", 10, later)]


def ttl_left(control, name):
    """What is left of an entry, microseconds, negative behind its end; None without an entry."""
    reply = control.call(wire.DUMP_CACHE, glob=name)
    return min((item["ttlUsec"] for item in reply["items"] if item["kind"] == "positive"),
               default=None)


def until_fresh(upstream, client, name):
    """Seconds to the first answer that is not stale: from now, and from the server's answer."""
    began = time.monotonic()
    upstream.forget()
    while True:
        _, reply = lookup(client, name)
        fresh = time.monotonic()
        if reply["source"] != "stale":
            break
        assert fresh < began + FRESH_SECONDS, f"stale for {FRESH_SECONDS} s: {reply}"
        time.sleep(0.002)
    # The later of the two families: a stale one alone makes the whole stale.
    asked = {}
    for question in upstream.log():
        if question.name == name:
            asked.setdefault(question.type, question.time / 1e6)
    answered = max(asked.values()) + 0.005
    return fresh - began, fresh - answered


@scenario("expired entry, servers silent")
def stale():
    """Old answers at once, new ones as soon as there are any (RFC 8767)."""
    times, back, behind = [[], [], []], [], []
    with Upstream(2) as upstream:
        upstream.answer_all(ttl=1)
        for _ in range(REPETITIONS // 2 + 1):
            upstream.reset(0)
            upstream.reset(1)
            with daemon_for(upstream) as (daemon, client), \
                    Client(daemon.control) as control:
                lookup(client, "old.test")
                upstream.manner(0, silent=1)
                upstream.manner(1, silent=1)
                wait_for(lambda: ttl_left(control, "old.test") < 0, "the end of the TTL")
                for place in times:
                    seconds, reply = lookup(client, "old.test")
                    assert reply["source"] == "stale", reply
                    place.append(seconds)
                upstream.reset(0)
                upstream.reset(1)
                total, after = until_fresh(upstream, client, "old.test")
                back.append(total)
                behind.append(after)
    return [milliseconds("1st lookup", 50, times[0]),
            milliseconds("2nd lookup", 2, times[1]),
            milliseconds("3rd lookup", 2, times[2]),
            milliseconds("fresh after a server's answer", 50, behind),
            milliseconds("fresh after the servers are back", 5000, back)]


def all_at_once(daemon, hosts):
    """One connection each, all asked at once; the replies."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.socket)) for _ in hosts]
        for client, host in zip(clients, hosts):
            client.send(wire.RESOLVE, {"host": host})
        return [wire.result(client.receive()[0]) for client in clients]


@scenario("50 identical questions at once")
def identical():
    """Asked once for all who wait."""
    counts = []
    with Upstream() as upstream:
        upstream.answer_all()
        upstream.manner(0, delay=300_000)
        with daemon_for(upstream) as (daemon, _):
            replies = all_at_once(daemon, ["same.test"] * 50)
            assert all(len(reply["endpoints"]) == 2 for reply in replies)
        counts = [upstream.count(kind=kind) for kind in ("A", "AAAA")]
    return [Part("upstream questions of a type", 1, "", counts, max)]


@scenario("60 names, A and AAAA, at once")
def ports():
    """A port of its own for each question. The kernel may give one twice once it is free again, so
    all wait at the same time."""
    with Upstream() as upstream:
        upstream.answer_all()
        upstream.manner(0, delay=300_000)
        with daemon_for(upstream) as (daemon, _):
            all_at_once(daemon, [f"n{number}.test" for number in range(60)])
        questions = upstream.log()
        assert len({(question.name, question.type) for question in questions}) == 120
        different = len({question.port for question in questions})
        return [Part("without a port of their own", 0, "",
                     [len(questions) - different], max),
                Part("questions", 120, "", [len(questions)], max)]


@scenario("20 stuck questions of one client, good ones of another")
def stuck():
    """Names that nobody answers cost nobody else."""
    before, beside = [], []
    with Upstream() as upstream:
        upstream.answer_all()
        upstream.rule("*.stuck.test", silent=1)
        for _ in range(REPETITIONS // 2 + 1):
            upstream.forget()
            with daemon_for(upstream) as (daemon, client), contextlib.ExitStack() as stack:
                before += [lookup(client, f"before{number}.test")[0] for number in range(LATER)]
                for number in range(20):
                    other = stack.enter_context(Client(daemon.socket))
                    other.send(wire.RESOLVE, {"host": f"n{number}.stuck.test"})
                # Several times, so that the daemon has had to give up on some.
                wait_for(lambda: upstream.count(kind="A") >= LATER + 60, "more tries")
                beside += [lookup(client, f"beside{number}.test")[0] for number in range(LATER)]
    extra = statistics.median(beside) - statistics.median(before)
    return [milliseconds("more than without them", 2, [max(extra, 0)]),
            milliseconds("good lookups", 10, beside)]


def measure(names=()):
    """Runs the scenarios, all or those named; yields (scenario, parts, None or what went wrong)."""
    for row in SCENARIOS:
        if names and row.name not in names:
            continue
        # A row that cannot be run is a row that fails, and the others are wanted all the same.
        try:
            yield row, row.run(), None
        except (AssertionError, CallError, OSError, KeyError) as error:
            yield row, [], f"{type(error).__name__}: {error}"
