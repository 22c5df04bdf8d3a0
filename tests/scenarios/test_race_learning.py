# SPDX-License-Identifier: MIT
"""What one connection has taught is of use to the next, of whatever process and user: dead addresses,
round trips, and how both are forgotten. What was sent is read off the wire.

Each test has a daemon of its own. Marks of silence live for a minute, which is tested with
ASOCKD_SLOW=1; those of refusals for ten seconds, which is tested always.
"""

import json
import socket
import time

import pytest

import wire
from daemon import wait_for
from racematrix import attempt_delays, cold_ms, same_name, warm_ms
from racerig import CLOSING, is_slow_build, median, now_us
from wire import Client

ROOM_MS, WIDE_MS = (20, 400) if is_slow_build() else (4, 100)
AT_ONCE_MS = 2 + ROOM_MS
OTHER_UID = 4713
PROBED_AFTER_S = 60  # a dead address is tried again
REFUSED_PROBED_AFTER_S = 10


@pytest.fixture(name="learner")
def fixture_learner(races):
    """A function that starts a fresh daemon and answers it and a client of it."""
    daemons, clients = [], []

    def make(config="", **keywords):
        daemons.append(races.daemon(config, **keywords))
        daemons[-1].start()
        clients.append(races.connect_to(daemons[-1]))
        return daemons[-1], clients[-1]

    yield make
    for client in clients:
        client.close()
    try:
        for daemon in daemons:
            daemon.stop()
    finally:
        for daemon in daemons:
            daemon.remove()


def connect(client, run, **parameters):
    """One connection, closed again."""
    with run.connect(client, **parameters) as result:
        assert result.error is None, result.reply
    return result


def addresses_of(run, *labels):
    """Those of a run with these labels."""
    return [text for text, label in run.addresses.items() if label in labels]


def test_dead_address_is_paid_for_once(races, learner):
    daemon, _ = learner()
    results = same_name(races, daemon, 5)
    assert [result.winner for result in results] == ["4.1"] * 5
    assert 249 < cold_ms(results[0]) < 252 + WIDE_MS
    assert [result.order for result in results] == ["6.1 4.1"] + ["4.1"] * 4
    assert median([warm_ms(result) for result in results[1:]]) < AT_ONCE_MS


def test_others_have_learnt_it_too(races, learner):
    """Another process of another user, and another name of the same addresses."""
    run = races.new_run("cad")
    daemon, client = learner(hosts="".join(f"{text} other.name.test\n" for text in run.addresses))
    connect(client, run)
    began = now_us()
    process = races.callers(daemon, [
        {"host": run.host, "service": "7000"}, {"host": "other.name.test", "service": "7000"}], OTHER_UID)
    answers = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    for _, reply in answers:
        assert [(attempt["endpoint"]["family"], attempt["outcome"])
                for attempt in reply["parameters"]["attempts"]] == [("inet", "connected")]
        assert reply["parameters"]["totalUsec"] < AT_ONCE_MS * 1000 + 10_000
    syns = [packet for packet in run.packets() if packet.kind == "syn" and packet.time > began]
    assert {run.addresses[packet.destination[0]] for packet in syns} == {"4.1"}


def test_another_port_has_learnt_nothing(races, learner):
    """A mark is of a port: one program that does not answer is not the whole host."""
    _, client = learner()
    run = races.new_run("cad")
    connect(client, run)
    assert connect(client, run, port=CLOSING).order == "6.1 4.1"


@pytest.mark.parametrize("config,order", [
    ("[Connect]\nHistory=off\n", "6.1 4.1"),
    ("[Connect]\nHistory=per-role\n", "6.1 4.1"),
    ("[Connect]\nHistory=shared\n", "4.1"),
])
def test_who_shares_what_is_learnt(races, learner, config, order):
    daemon, client = learner(config)
    run = races.new_run("cad")
    connect(client, run)
    began = now_us()
    process = races.callers(daemon, [{"host": run.host, "service": "7000"}], OTHER_UID)
    process.communicate(timeout=30)
    found = [run.addresses[packet.destination[0]] for packet in run.packets()
             if packet.kind == "syn" and packet.time > began and packet.detail[1] == 1]
    assert " ".join(found) == order


def test_off_learns_nothing_for_the_same_user_either(races, learner):
    daemon, _ = learner("[Connect]\nHistory=off\n")
    assert [result.order for result in same_name(races, daemon, 2)] == ["6.1 4.1"] * 2


def test_history_never_changes_the_set(races, learner):
    """All that is dead is tried in the end, when what is left fails."""
    _, client = learner()
    run = races.new_run("base")
    v6, v4 = addresses_of(run, "6.1"), addresses_of(run, "4.1")
    races.break_server(*v6)
    try:
        assert connect(client, run).winner == "4.1"
    finally:
        races.mend_server()
    races.break_server(*v4, how="reject with tcp reset")
    try:
        result = connect(client, run)
    finally:
        races.mend_server()
    assert result.order == "4.1 6.1"
    assert result.winner == "6.1"
    assert warm_ms(result) < AT_ONCE_MS


def until_probed(races, client, run, life_s):
    """Connects again and again until the dead address is tried; (seconds since the first, results)."""
    began, results = now_us(), []
    dead = addresses_of(run, "6.1")[0]
    while now_us() < began + (life_s + 15) * 1_000_000:
        results.append(connect(client, run))
        time.sleep(0.1)
        for packet in run.packets():
            if packet.kind == "syn" and packet.destination[0] == dead and packet.time > began:
                return (packet.time - began) / 1e6, results
    raise AssertionError(f"not probed in {life_s + 15} s")


def recovers(races, client, how, life_s):
    """A dead address comes back: it is probed beside the good one, and used from then on."""
    run = races.new_run("base")
    races.break_server(*addresses_of(run, "6.1"), how=how)
    try:
        assert connect(client, run).order == "6.1 4.1"
    finally:
        races.mend_server()
    seconds, results = until_probed(races, client, run, life_s)
    assert life_s - 2 < seconds < life_s + 2
    # The probe is nobody's delay, and until then there was none.
    assert {result.winner for result in results} == {"4.1"}
    assert median([result.call_ms for result in results]) < AT_ONCE_MS
    assert results[-1].call_ms < AT_ONCE_MS + 20
    races.await_packet(run, "synack", lambda packet: run.addresses[packet.source[0]] == "6.1")
    result = connect(client, run)
    assert (result.order, result.winner) == ("6.1", "6.1")


def test_refused_address_comes_back(races, learner):
    recovers(races, learner()[1], "reject with tcp reset", REFUSED_PROBED_AFTER_S)


@pytest.mark.slow
def test_silent_address_comes_back(races, learner):
    recovers(races, learner()[1], "drop", PROBED_AFTER_S)


@pytest.mark.slow
def test_dead_address_stays_dead(races, learner):
    """A probe without an answer is nobody's delay either."""
    _, client = learner()
    run = races.new_run("cad")
    connect(client, run)
    seconds, results = until_probed(races, client, run, PROBED_AFTER_S)
    assert PROBED_AFTER_S - 2 < seconds < PROBED_AFTER_S + 2
    for _ in range(20):
        results.append(connect(client, run))
        time.sleep(0.3)
    assert {result.winner for result in results} == {"4.1"}
    assert median([result.call_ms for result in results]) < AT_ONCE_MS
    assert max(result.call_ms for result in results) < 240


def test_faster_of_two_goes_first(races, learner):
    """RFC 8305 section 4, rule 8a: the one of 300 ms is the answer's first, the one of 20 ms its second."""
    run = races.new_run("rtt8a")
    slow, fast = run.addresses
    _, client = learner(hosts=f"{slow} slow.name.test\n{fast} fast.name.test\n")
    for host in ("slow.name.test", "fast.name.test"):
        client.connect(host, "7000")[1].close()
    result = connect(client, run)
    assert (result.order, result.winner) == ("6.2", "6.2")
    assert 19 < warm_ms(result) < 21 + ROOM_MS


def test_slow_first_address_is_paid_for_once(races, learner):
    """N3: 400 ms first and 20 ms second."""
    daemon, _ = learner()
    first, second = same_name(races, daemon, 2, "rtt-order")
    assert 268 < cold_ms(first) < 271 + WIDE_MS
    assert (second.order, second.winner) == ("6.2", "6.2")
    assert 19 < warm_ms(second) < 21 + ROOM_MS


def test_known_round_trip_saves_the_second_attempt(races, learner):
    """N4: two attempts where 300 ms are not known, one where they are."""
    daemon, _ = learner()
    # A machine that is late by 50 ms makes no second attempt.
    for _ in range(3):
        first, second = same_name(races, daemon, 2, "rtt300")
        if first.order == "6.1 4.1":
            break
    assert first.order == "6.1 4.1"
    assert second.order == "6.1"
    assert 299 < warm_ms(second) < 302 + ROOM_MS


def test_known_short_round_trip_shortens_the_delay(races, learner):
    """N4: no answer where one came in less than a millisecond is noticed after 100 ms, not 250."""
    _, client = learner()
    run = races.new_run("base")
    assert connect(client, run).winner == "6.1"
    races.break_server(*addresses_of(run, "6.1"))
    try:
        result = connect(client, run)
    finally:
        races.mend_server()
    assert (result.order, result.winner) == ("6.1 4.1", "4.1")
    assert 99.5 < attempt_delays([result])[0] < 101 + ROOM_MS


def test_network_change_forgets_who_is_dead(races, learner):
    _, client = learner()
    run = races.new_run("cad")
    connect(client, run)
    assert connect(client, run).order == "4.1"
    races.ip(races.client, "route replace default via 3fff:c::7 dev wire0 src 3fff:c::2")
    try:
        # What the kernel says reaches the daemon before a call that is made afterwards.
        assert connect(client, run).order == "6.1 4.1"
        # And this is what it has learnt here.
        assert connect(client, run).order == "4.1"
    finally:
        races.ip(races.client, "route replace default via 3fff:c::1 dev wire0 src 3fff:c::2")


def test_round_trips_are_kept_for_the_return(races, learner):
    """What was measured in one network is of no use in another, and is when the host comes back."""
    run = races.new_run("rtt8a")
    slow, fast = run.addresses
    _, client = learner(hosts=f"{slow} slow.name.test\n{fast} fast.name.test\n")
    for host in ("slow.name.test", "fast.name.test"):
        client.connect(host, "7000")[1].close()
    assert connect(client, run).order == "6.2"
    races.ip(races.client, "route replace default via 3fff:c::7 dev wire0 src 3fff:c::2")
    try:
        assert connect(client, run).order == "6.1 6.2"
    finally:
        races.ip(races.client, "route replace default via 3fff:c::1 dev wire0 src 3fff:c::2")
    assert connect(client, run).order == "6.2"


def test_what_the_kernel_has_measured_counts(races, learner):
    """N5: another program has talked to both; the first request of all knows which one is near."""
    run = races.new_run("rtt8a")
    for text in run.addresses:
        with races.entered(races.client), socket.create_connection((text, 7000), 5) as connection:
            assert connection.recv(100) == b"greetings\n"
            connection.sendall(b"x" * 100)
            assert connection.recv(100) == b"x" * 100
    wait_for(lambda: all(text in races.tcp_metrics() for text in run.addresses), "the kernel's memory")
    _, client = learner()
    assert connect(client, run).order == "6.2"


def test_dislike_is_remembered(races, learner):
    """ConnectNext says that a connection was bad: the same user is led elsewhere for a while."""
    daemon, client = learner()
    run = races.new_run("base")
    with run.connect(client) as first:
        assert first.winner == "6.1"
    client.send(wire.CONNECTOR + ".ConnectNext", {})
    with run.finish(client, now_us()) as second:
        assert second.winner == "4.1"
    assert connect(client, run).winner == "4.1"
    process = races.callers(daemon, [{"host": run.host, "service": "7000"}], OTHER_UID)
    reply = json.loads(process.communicate(timeout=30)[0])[0][1]
    assert run.addresses[reply["parameters"]["peer"]["address"]] == "6.1"


def test_flush_forgets(races, learner):
    """The operator says so."""
    daemon, client = learner()
    run = races.new_run("cad")
    connect(client, run)
    assert connect(client, run).order == "4.1"
    with Client(daemon.control) as control:
        assert control.call(wire.MANAGER + ".FlushHistory")["flushed"] >= 1
    assert connect(client, run).order == "6.1 4.1"
