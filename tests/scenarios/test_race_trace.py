# SPDX-License-Identifier: MIT
"""What a call tells with "more" is what goes over the wire, all of it and at those times (N8)."""

import json

import pytest

from racerig import A, AAAA, is_slow_build, least, median

CLOSE_MS = 5 if is_slow_build() else 0.5  # the median of what the daemon says and the wire shows
WIDE_MS = 200 if is_slow_build() else 50  # each
REPLY_BYTES = 4096
TYPES = {"A": A, "AAAA": AAAA}
SCENARIOS = ("base", "cad", "chain", "dead4of8", "mixed", "slow6", "aaaa40", "aaaa200", "aaaa-fails",
             "a-lost", "noroute6", "half6", "nov6")


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(races):
    """One that learns nothing, so that the runs are alike."""
    with races.daemon("[Connect]\nHistory=off\n") as made:
        yield made


def traced(races, daemon, name):
    """(events, Result) of a fresh run."""
    with races.connect_to(daemon) as client:
        events, result = races.new_run(name).trace(client)
    result.close()
    return events, result


def of_kind(events, kind):
    """Those of one kind."""
    return [event for event in events if event["kind"] == kind]


def first(packets, kind, source=None, destination=None):
    """The time of the first packet like this that comes, or leaves when a destination is given; None: there
    is none."""
    return next((packet.time for packet in packets if packet.kind == kind
                 and packet.leaves == (source is None)
                 and source in (None, packet.source[0])
                 and destination in (None, packet.destination[0])), None)


def differences(events, result):
    """Between the times told and the wire's, milliseconds, by what happened. The call's arrival, from which
    events are counted, is known to lie in between two times of the client, at idle some 0.2 ms apart: that
    is the one which fits best."""
    found = []
    for event in events:
        address = event.get("endpoint", {}).get("address")
        if event["kind"] == "start":
            wire = first(result.packets, "syn", destination=address)
        elif event["kind"] == "end" and event["outcome"] == "connected":
            wire = first(result.packets, "synack", source=address)
        elif event["kind"] == "end" and event.get("error") == "ECONNREFUSED":
            wire = first(result.packets, "rst", source=address)
        elif event["kind"] == "question" and event["outcome"] == "found":
            wire = result.answer_us(TYPES[event["type"]])
        else:
            wire = None
        # An address without a route is tried, and nothing leaves.
        if wire is not None:
            found.append((event["kind"], (result.began_us + event["atUsec"] - wire) / 1000))
    last_us = result.reply.get("totalUsec", max(event["atUsec"] for event in events))
    latest_ms = (result.ended_us - result.began_us - last_us) / 1000
    shift_ms = max(0, min(latest_ms, -median([ms for _, ms in found])))
    return [(kind, ms + shift_ms) for kind, ms in found]


@pytest.mark.parametrize("name", SCENARIOS)
def test_trace_is_what_the_wire_shows(races, daemon, name):
    events, result = traced(races, daemon, name)
    labels = result.run.addresses
    assert of_kind(events, "lost") == []
    assert [event["atUsec"] for event in events] == sorted(event["atUsec"] for event in events)
    # Every attempt that sent something began in the trace, in the same order, and ended.
    begun = [labels[event["endpoint"]["address"]] for event in of_kind(events, "start")]
    assert [label for label in begun if label in result.order.split()] == result.order.split()
    assert begun == [label for label, _, _ in result.attempts()]
    ended = [labels[event["endpoint"]["address"]] for event in of_kind(events, "end")]
    assert sorted(ended) == sorted(begun)
    assert {event["attempt"] for event in of_kind(events, "start")} == set(range(len(begun)))
    # Every question that was answered before the end, and none that was not.
    told = {TYPES[event["type"]] for event in of_kind(events, "question") if event["outcome"] == "found"}
    answered = [packet for packet in result.packets if packet.kind == "answer" and packet.detail[4]]
    assert told <= {packet.detail[1] for packet in answered}
    assert told >= {packet.detail[1] for packet in answered if packet.time < result.ended_us - 5000}
    # Every address has its place and reason.
    placed = {labels[place["endpoint"]["address"]]
              for event in of_kind(events, "order") for place in event["candidates"]}
    assert set(begun) <= placed <= set(labels.values())
    # A socket's send and receive buffers hold more than this, so the reply is written at once.
    assert len(json.dumps(result.reply, separators=(",", ":"))) < REPLY_BYTES - 100


@pytest.mark.parametrize("name", SCENARIOS)
def test_times_are_those_of_the_wire(races, daemon, name):
    close = least(CLOSE_MS, lambda: [abs(ms) for _, ms in differences(*traced(races, daemon, name))])
    assert median(close) < CLOSE_MS, close
    assert max(close) < WIDE_MS, close


def test_trace_names_the_server_and_its_round_trip(races, daemon):
    events, result = traced(races, daemon, "aaaa40")
    late = next(event for event in of_kind(events, "question") if event["type"] == "AAAA")
    assert late["server"].startswith("198.18.1.54")
    assert late["transport"] == "udp"
    assert late["name"].rstrip(".") == result.run.host
    asked = first(result.packets, "query", destination="198.18.1.54")
    assert abs(late["roundTripUsec"] - (result.answer_us(AAAA) - asked)) < 1000 * CLOSE_MS + 1000


def test_attempt_tells_its_round_trip(races, daemon):
    events, result = traced(races, daemon, "slow6")
    winner = next(event for event in of_kind(events, "end") if event["outcome"] == "connected")
    assert abs(winner["roundTripUsec"] / 1000 - 300) < 2 + CLOSE_MS
    begun = of_kind(events, "start")[winner["attempt"]]
    assert begun["local"]["port"] == result.flow[0][1]
    loser = next(event for event in of_kind(events, "end") if event["outcome"] == "cancelled")
    assert result.run.addresses[loser["endpoint"]["address"]] == "4.1"


def test_trace_of_a_call_that_fails(races, daemon):
    events, result = traced(races, daemon, "mixed")
    assert result.error == "org.asockd.Connector.ConnectFailed"
    assert [event["error"] for event in of_kind(events, "end")] == [
        error for _, _, error in result.attempts()]
