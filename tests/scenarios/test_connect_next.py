# SPDX-License-Identifier: MIT
"""ConnectNext: "I do not like this one". On loopback, for everyone; each daemon is a fresh one, which has learnt nothing."""

import signal
import time

import pytest

import upstream
import wire
from daemon import wait_for
from peers import BlackHole, Greeter, Rude, close_with_reset
from upstream import Upstream
from wire import PING, CallError, Client

MS = 1000
HOSTS = "127.0.0.1 two.test three.test\n127.0.0.2 two.test three.test\n127.0.0.3 three.test\n"


@pytest.fixture
def second(greeter):
    """Greets on the greeter's port of 127.0.0.2."""
    with Greeter("127.0.0.2", greeter.port) as made:
        yield made


def told(attempts):
    """What a reply says of attempts, in short."""
    return [(attempt["endpoint"]["address"], attempt["outcome"], attempt.get("error"))
            for attempt in attempts]


def is_denied(daemon, host, port):
    """Whether the policy says no."""
    with Client(daemon.socket) as client:
        try:
            client.connect(host, port)[1].close()
        except CallError as error:
            return error.name == wire.DENIED
    return False


def nothing_left(client):
    """Whether there is nothing to go on with."""
    with pytest.raises(CallError) as caught:
        client.connect_next()
    assert caught.value.name == wire.NO_MORE_CANDIDATES
    assert caught.value.parameters == {}
    return True


def test_a_server_that_closes_at_once(start):
    daemon = start(hosts=HOSTS)
    with Rude() as rude, Greeter("127.0.0.2", rude.port) as good, Client(daemon.socket) as client:
        reply, connection = client.connect("two.test", rude.port)
        assert reply["hasNext"] is True
        with connection:
            assert connection.recv(100) == b""
        reply, connection = client.connect_next()
        with connection:
            assert connection.recv(100) == b"greetings\n"
            assert connection.getpeername() == ("127.0.0.2", good.port)
        assert reply["peer"] == {"family": "inet", "address": "127.0.0.2", "port": good.port}
        assert reply["name"] == "two.test"
        assert told(reply["attempts"]) == [("127.0.0.2", "connected", None)]
        assert reply["attempts"][0]["startedUsec"] <= reply["totalUsec"] < 100 * MS
        assert reply["hasNext"] is False
        assert nothing_left(client)


def test_until_nothing_is_left(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client:
        client.connect("three.test", greeter.port)[1].close()
        reply, connection = client.connect_next()
        close_with_reset(connection)
        assert reply["peer"]["address"] == "127.0.0.2" and reply["hasNext"]
        with pytest.raises(CallError) as caught:
            client.connect_next()
        assert caught.value.name == wire.CONNECT_FAILED
        assert caught.value.parameters["errno"] == "ECONNREFUSED"
        assert told(caught.value.parameters["attempts"]) == [
            ("127.0.0.3", "failed", "ECONNREFUSED")]
        assert nothing_left(client)
    assert (greeter.accepted, second.accepted) == (1, 1)


def test_across_targets_of_a_service(start, greeter, second):
    with Upstream() as made:
        made.rule("*", "*", authority=[upstream.soa()])
        made.rule("_greet._tcp.example.test", "SRV", [
            upstream.srv(2, 1, second.port, "b.example.test"),
            upstream.srv(1, 1, greeter.port, "a.example.test")])
        made.rule("a.example.test", "A", [upstream.address("127.0.0.1")])
        made.rule("b.example.test", "A", [upstream.address("127.0.0.2")])
        daemon = start(resolve=made.lines())
        with Client(daemon.socket) as client:
            reply, connection = client.connect("example.test", "greet", family="inet")
            connection.close()
            assert reply["peer"]["address"] == "127.0.0.1" and reply["hasNext"]
            reply, connection = client.connect_next()
            connection.close()
            assert reply["peer"]["address"] == "127.0.0.2"
            assert reply["attempts"][0]["target"] == "b.example.test"
            assert nothing_left(client)


def test_what_was_not_liked_is_not_given_first_any_more(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client, Client(daemon.socket) as other:
        client.connect("two.test", greeter.port)[1].close()
        client.connect_next()[1].close()
        for asker in (client, other):
            reply, connection = asker.connect("two.test", greeter.port)
            connection.close()
            assert reply["peer"]["address"] == "127.0.0.2"


def test_another_call_in_between_forgets_it(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client:
        client.connect("two.test", greeter.port)[1].close()
        client.call(PING)
        assert nothing_left(client)
        client.connect("two.test", greeter.port)[1].close()
        client.connect("127.0.0.1", greeter.port)[1].close()
        assert nothing_left(client)


def test_another_session_has_nothing(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client, Client(daemon.socket) as other:
        client.connect("two.test", greeter.port)[1].close()
        assert nothing_left(other)
        client.connect_next()[1].close()


def test_what_was_dropped_for_the_winner_is_tried_again(start):
    with BlackHole() as hole, Greeter("127.0.0.2", hole.port):
        daemon = start(hosts=HOSTS)
        with Client(daemon.socket) as client:
            reply, connection = client.connect("two.test", hole.port, timeoutUsec=600 * MS)
            connection.close()
            assert told(reply["attempts"]) == [("127.0.0.1", "cancelled", None),
                                               ("127.0.0.2", "connected", None)]
            begin = time.monotonic()
            with pytest.raises(CallError) as caught:
                client.connect_next()
            assert 0.5 < time.monotonic() - begin < 3
            assert told(caught.value.parameters["attempts"]) == [
                ("127.0.0.1", "timeout", "ETIMEDOUT")]


def test_a_client_that_goes_takes_it_along(start):
    with BlackHole() as hole, Greeter("127.0.0.2", hole.port):
        daemon = start(hosts=HOSTS)
        with Client(daemon.socket) as client:
            client.connect("two.test", hole.port)[1].close()
            client.send(wire.CONNECT_NEXT)
            assert client.silent_for(0.1)
        daemon.check_descriptors()


def test_a_policy_that_came_in_between_counts(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client:
        client.connect("two.test", greeter.port)[1].close()
        daemon.write_config("[Never]\nTo=127.0.0.2\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: is_denied(daemon, "127.0.0.2", greeter.port), "the new rule")
        with pytest.raises(CallError) as caught:
            client.connect_next()
        assert caught.value.name == wire.DENIED


@pytest.mark.slow
def test_it_is_kept_for_ten_seconds(start, greeter, second):
    daemon = start(hosts=HOSTS)
    with Client(daemon.socket) as client:
        client.connect("three.test", greeter.port)[1].close()
        time.sleep(9)
        client.connect_next()[1].close()
        time.sleep(11)
        assert nothing_left(client)
