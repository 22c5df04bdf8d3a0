# SPDX-License-Identifier: MIT
"""The scripted upstream itself, asked without a daemon: what other scenarios measure with must be
right."""

import socket
import statistics
import struct
import time

import pytest

from dnsserver import encode_name
from upstream import FORGERIES, Upstream, address

QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + encode_name("One.test") + b"\0\1\0\1"
OPT = b"\0\0\x29\4\xd0\0\0\0\0\0\0"


@pytest.fixture
def upstream():
    """One server; each name has addresses."""
    with Upstream() as made:
        made.answer_all()
        yield made


def connect(upstream, kind=socket.SOCK_DGRAM):
    """A socket to the first server."""
    made = socket.socket(socket.AF_INET, kind)
    made.settimeout(5)
    made.connect((upstream.addresses[0], upstream.port))
    return made


def exchange(upstream, query=QUERY):
    """One answer over UDP."""
    with connect(upstream) as udp:
        udp.send(query)
        return udp.recv(65536)


def read_exactly(stream, count):
    """So many bytes."""
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        assert piece, "the end came early"
        data += piece
    return data


def test_answers_come_when_they_should(upstream):
    for delay in (0, 2000, 5000, 20_000):
        upstream.manner(0, delay=delay)
        times = []
        with connect(upstream) as udp:
            for _ in range(9):
                began = time.monotonic()
                udp.send(QUERY)
                udp.recv(1000)
                times.append((time.monotonic() - began) * 1e6)
        assert min(times) >= delay
        assert statistics.median(times) < delay + 1000


def test_answer_is_to_the_question(upstream):
    answer = exchange(upstream)
    assert answer[:12] == b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
    assert answer[12:12 + len(QUERY) - 12] == QUERY[12:]
    assert answer[-4:] == socket.inet_aton("192.0.2.1")


def test_log_says_what_came(upstream):
    before = time.monotonic() * 1e6
    with connect(upstream) as udp:
        udp.send(QUERY[:10] + b"\0\1" + QUERY[12:] + OPT)
        udp.recv(1000)
        port = udp.getsockname()[1]
    (question,) = upstream.log()
    assert before <= question.time <= time.monotonic() * 1e6
    assert question._replace(time=0) == (0, 0, "udp", port, 0x1234, "A", 1232, None, "one.test",
                                         "One.test")


def test_many_addresses_are_cut_for_udp_and_whole_for_tcp(upstream):
    upstream.rule("one.test", "A", [address(f"192.0.2.{number}") for number in range(100)])
    assert exchange(upstream)[2] & 2
    with connect(upstream, socket.SOCK_STREAM) as tcp:
        tcp.sendall(struct.pack("!H", len(QUERY)) + QUERY)
        length = struct.unpack("!H", read_exactly(tcp, 2))[0]
        assert read_exactly(tcp, length)[6:8] == b"\0\x64"


@pytest.mark.parametrize("name", [name for name in FORGERIES if name != "port"])
def test_forgery_comes_first_and_is_wrong(upstream, name):
    right = exchange(upstream)
    upstream.manner(0, forge=[name])
    with connect(upstream) as udp:
        udp.send(QUERY)
        assert udp.recv(65536) != right
        assert udp.recv(65536) == right


def test_held_answers_come_in_reverse(upstream):
    upstream.manner(0, hold=2, delay=0)
    with connect(upstream, socket.SOCK_STREAM) as tcp:
        for first in (b"\1", b"\2"):
            tcp.sendall(struct.pack("!H", len(QUERY)) + first + QUERY[1:])
        ids = []
        for _ in range(2):
            length = struct.unpack("!H", read_exactly(tcp, 2))[0]
            ids.append(read_exactly(tcp, length)[0])
        assert ids == [2, 1]


def test_ports_close_and_open(upstream):
    upstream.close(0)
    with connect(upstream) as udp:
        udp.send(QUERY)
        with pytest.raises(ConnectionRefusedError):
            udp.recv(1000)
    with pytest.raises(ConnectionRefusedError):
        connect(upstream, socket.SOCK_STREAM)
    upstream.open(0)
    assert exchange(upstream)
