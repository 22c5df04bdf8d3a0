# SPDX-License-Identifier: MIT
"""Connect with "more": what happens on the way, told as it happens. On loopback, for everyone."""

import contextlib

import pytest

import upstream
import wire
from daemon import source_dir, wait_for
from idl import Interface
from peers import BlackHole, Greeter
from upstream import Upstream
from wire import CONNECT, CONNECT_NEXT, Client

MS = 1000
HOSTS = "127.0.0.1 two.test three.test\n127.0.0.2 two.test three.test\n127.0.0.3 three.test\n"
CONNECTOR = Interface((source_dir() / "protocol" / f"{wire.CONNECTOR}.varlink").read_text())


def watch(client, host, port, **parameters):
    """Connect with "more": (events, parameters of the last reply); the connection is closed."""
    client.send(CONNECT, {"host": host, "service": str(port), **parameters}, more=True)
    return finish(client)


def finish(client):
    """The rest of such a call."""
    events, reply, connection = client.receive_events()
    if connection is not None:
        connection.close()
    for event in events:
        CONNECTOR.check(event, CONNECTOR.types["TraceEvent"], "TraceEvent")
    times = [event["atUsec"] for event in events]
    assert times == sorted(times)
    return events, reply["parameters"]


def of_kind(events, kind):
    """Those of one kind."""
    return [event for event in events if event["kind"] == kind]


def compare(events, attempts):
    """The trace says of the attempts what the reply says."""
    starts = {event["attempt"]: event for event in of_kind(events, "start")}
    ends = {event["attempt"]: event for event in of_kind(events, "end")}
    assert sorted(ends) == sorted(starts) == list(range(len(attempts)))
    for index, attempt in enumerate(attempts):
        begin, end = starts[index], ends[index]
        assert begin["endpoint"] == end["endpoint"] == attempt["endpoint"]
        assert begin["atUsec"] == attempt["startedUsec"]
        assert end["atUsec"] - begin["atUsec"] == attempt["elapsedUsec"]
        assert end["outcome"] == attempt["outcome"]
        for key in ("error", "roundTripUsec"):
            assert end.get(key) == attempt.get(key)


def test_trace_is_what_the_reply_says(start):
    with BlackHole() as hole, Greeter("127.0.0.3", hole.port) as good:
        daemon = start(hosts=HOSTS)
        with Client(daemon.socket) as client:
            events, reply = watch(client, "three.test", good.port, attemptDelayUsec=100 * MS)
    assert [attempt["outcome"] for attempt in reply["attempts"]] == [
        "cancelled", "failed", "connected"]
    compare(events, reply["attempts"])
    assert reply["attempts"][2]["roundTripUsec"] > 0
    order = of_kind(events, "order")[-1]["candidates"]
    assert [place["endpoint"]["address"] for place in order] == [
        "127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert {place["target"] for place in order} == {"three.test"}
    assert {place["source"] for place in order} == {"hosts"}
    winner = of_kind(events, "start")[2]
    assert winner["local"] == reply["local"]


def test_trace_of_a_failure(start):
    with BlackHole() as hole:
        daemon = start(hosts=HOSTS)
        with Client(daemon.socket) as client:
            events, error = watch(client, "two.test", hole.port, timeoutUsec=400 * MS)
    assert error["stage"] == "connect"
    compare(events, error["attempts"])


def test_questions_are_told(start, greeter):
    with Upstream() as made:
        made.rule("*", "*", authority=[upstream.soa()])
        made.rule("name.test", "A", [upstream.address("127.0.0.1")])
        made.rule("name.test", "AAAA", authority=[upstream.soa()], delay=20)
        daemon = start(resolve=made.lines())
        with Client(daemon.socket) as client:
            events, reply = watch(client, "name.test", greeter.port)
            questions = {event["type"]: event for event in of_kind(events, "question")}
            assert {event["name"] for event in questions.values()} == {"name.test"}
            assert questions["A"]["outcome"] == "found"
            assert questions["A"]["source"] == "dns"
            assert questions["A"]["server"] == made.servers()[0]
            assert questions["A"]["transport"] == "udp"
            assert 0 < questions["A"]["roundTripUsec"] <= questions["A"]["atUsec"] <= reply["totalUsec"]
            assert questions["AAAA"]["outcome"] == "noData"
            compare(events, reply["attempts"])
            events, _ = watch(client, "name.test", greeter.port)
            assert {event["source"] for event in of_kind(events, "question")} == {"cache"}


def test_next_is_told_as_well(start, greeter):
    daemon = start(hosts=HOSTS)
    with Greeter("127.0.0.3", greeter.port), Client(daemon.socket) as client:
        watch(client, "three.test", greeter.port)
        client.send(CONNECT_NEXT, more=True)
        events, reply = finish(client)
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["failed", "connected"]
    compare(events, reply["attempts"])


def test_lines_for_people(start, greeter):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket, lf=True) as client:
        events, reply = watch(client, "two.test", greeter.port)
        compare(events, reply["attempts"])


def test_who_does_not_read_loses_events_and_not_the_reply(start, greeter):
    with Upstream() as made, contextlib.ExitStack() as stack:
        made.rule("large.test", "TXT", [upstream.txt(bytes([65 + i % 26]) * 250) for i in range(150)])
        daemon = start(hosts=HOSTS, resolve=made.lines())
        client = stack.enter_context(Client(daemon.socket))
        # Replies of 100 KB, more than the kernel takes and than events wait behind.
        # All calls in one piece: what is not read yet waits until the replies before are.
        calls = [client.encode(wire.RESOLVE_RECORD, {"name": "large.test", "type": "TXT"})] * 4
        calls.append(client.encode(CONNECT, {"host": "two.test", "service": str(greeter.port)}, more=True))
        client.send_raw(b"".join(calls))
        wait_for(lambda: greeter.accepted == 1, "the connection")
        for _ in range(4):
            assert len(client.receive()[0]["parameters"]["records"]) == 150
        events, reply = finish(client)
        lost = of_kind(events, "lost")
        assert sum(event["lost"] for event in lost) >= 3
        assert reply["peer"]["address"] == "127.0.0.1"
        assert reply["attempts"][-1]["outcome"] == "connected"


@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_goes_in_midstream_ends_everything(start, reads):
    with BlackHole() as hole:
        daemon = start(hosts="127.0.0.1 hole.test\n")
        with Client(daemon.socket) as client:
            client.send(CONNECT, {"host": "hole.test", "service": str(hole.port)}, more=True)
            wait_for(client.unread, "an event")
            if reads:
                assert client.receive()[0]["continues"]
        wait_for(lambda: daemon.count_descriptors() == daemon.descriptors_at_start,
                 "the end of the attempt", 1)


def test_other_methods_have_one_reply(start):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client:
        for method, parameters in ((wire.PING, {}), (wire.RESOLVE, {"host": "two.test"})):
            client.send(method, parameters, more=True)
            assert "continues" not in client.receive()[0]
        assert client.silent_for(0.05)
