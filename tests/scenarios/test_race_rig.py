# SPDX-License-Identifier: MIT
"""The wire that races are measured on does what its addresses say, in time: seen by plain sockets, without
asockd."""

import contextlib
import errno
import socket
import time

import pytest

from racerig import CLOSING, SILENT, address4, address6

ROOM_MS = 4
RUN = 4000  # no other test has this number
TRIES = 5


def connect(races, text, port=7000, timeout=3):
    """(milliseconds, errno or 0, what the peer says first) of a connection of the client's namespace."""
    with races.entered(races.client):
        connection = socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET)
    with connection:
        connection.settimeout(timeout)
        began, number, heard = time.monotonic(), 0, None
        try:
            connection.connect((text, port))
        except TimeoutError:
            number = errno.ETIMEDOUT
        except OSError as error:
            number = error.errno
        elapsed_ms = (time.monotonic() - began) * 1000
        if not number:
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                heard = connection.recv(100)
        return elapsed_ms, number, heard


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("action,delay_ms,error4,error6", [
    ("pass", 0, 0, 0),
    ("pass", 120, 0, 0),
    ("reset", 0, errno.ECONNREFUSED, errno.ECONNREFUSED),
    ("reset", 30, errno.ECONNREFUSED, errno.ECONNREFUSED),
    ("no-route", 30, errno.ENETUNREACH, errno.ENETUNREACH),
    ("prohibited", 0, errno.EHOSTUNREACH, errno.EACCES),
    ("unreachable", 0, errno.EHOSTUNREACH, errno.EHOSTUNREACH),
])
def test_what_an_address_does(races, family, action, delay_ms, error4, error6):
    make = address4 if family == 4 else address6
    results = [connect(races, make(action, delay_ms, RUN, 1)) for _ in range(TRIES)]
    assert {number for _, number, _ in results} == {error4 if family == 4 else error6}
    times = [ms for ms, _, _ in results]
    assert min(times) >= delay_ms
    assert min(times) < delay_ms + ROOM_MS, times
    if not error4:
        assert {heard for _, _, heard in results} == {b"greetings\n"}


@pytest.mark.parametrize("make", [address4, address6])
def test_silence(races, make):
    ms, number, _ = connect(races, make("drop", 0, RUN, 1), timeout=0.3)
    assert number == errno.ETIMEDOUT
    assert ms >= 299


def test_first_syn_is_lost(races):
    ms, number, heard = connect(races, address6("lose-first", 0, RUN, 1))
    assert (number, heard) == (0, b"greetings\n")
    assert 990 < ms < 1100 + ROOM_MS


def test_half_open(races):
    ms, number, heard = connect(races, address6("half", 0, RUN, 1))
    assert (number, heard) == (0, None)
    assert ms < 50


def test_peers(races):
    text = address6("pass", 0, RUN, 2)
    assert connect(races, text, SILENT)[1:] == (0, None)
    assert connect(races, text, CLOSING)[1:] == (0, b"")


def test_server_breaks_and_is_mended(races):
    text = address6("pass", 0, RUN, 3)
    races.break_server(text)
    try:
        assert connect(races, text, timeout=0.2)[1] == errno.ETIMEDOUT
    finally:
        races.mend_server()
    races.break_server(text, how="reject with tcp reset")
    try:
        assert connect(races, text)[1] == errno.ECONNREFUSED
    finally:
        races.mend_server()
    assert connect(races, text)[1] == 0


def test_log_has_what_passed(races):
    text = address6("pass", 50, RUN, 4)
    before = time.monotonic_ns() // 1000
    ms, _, _ = connect(races, text)
    races.sync()
    packets = races.log.of("", [text])
    assert [packet.kind for packet in packets[:3]] == ["syn", "synack", "ack"]
    syn, answer, _ = packets[:3]
    assert (syn.leaves, answer.leaves) == (True, False)
    assert before <= syn.time
    assert 50 <= (answer.time - syn.time) / 1000 <= ms < 50 + 10 * ROOM_MS
    assert syn.detail[1] == 1
