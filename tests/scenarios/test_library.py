# SPDX-License-Identifier: MIT
"""libasock through a small C program, and asockctl: joined stdio, --json, exit codes."""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest

import wire
from conftest import RIG_PORT
from daemon import tool
from dnsserver import DnsServer
from peers import GREETING, BlackHole, Greeter, close_with_reset, closed_port
from rig import SERVER4


def ctl(socket_path, *arguments, text=b"", status=0):
    """Runs asockctl and answers its standard output; standard error too when it has to fail."""
    done = subprocess.run([tool("asockctl"), "--socket", str(socket_path), *map(str, arguments)],
                          input=text, capture_output=True, check=False, timeout=60)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else (done.stdout, done.stderr)


@pytest.fixture
def path(start):
    """The public socket of a daemon that knows here.test."""
    return start(hosts="127.0.0.1 here.test\n").socket


# The library


def library(path, host, service, prefix=()):
    """The C program's result."""
    return subprocess.run([*prefix, tool("tests/scenarios/client"), str(path), host, str(service)],
                          input=b"a line\n", capture_output=True, check=False, timeout=60)


def test_c_program_connects(path, greeter):
    done = library(path, "here.test", greeter.port)
    assert done.returncode == 0, done.stdout
    assert done.stdout == b"name here.test attempts 1\n" + GREETING + b"a line\n"


def test_c_program_is_told_why(path):
    done = library(path, "here.test", closed_port())
    assert done.returncode == 1
    assert wire.CONNECT_FAILED.encode() in done.stdout
    done = library("/nowhere/at/all", "here.test", 1)
    assert done.returncode == 1
    assert b"no answer" in done.stdout


def test_c_program_on_the_rig(rig, nsd, start):
    daemon = start(resolve=[f"Servers={SERVER4}"], prefix=rig.inside(rig.client))
    done = library(daemon.socket, "hole6.example.test", RIG_PORT, rig.inside(rig.client))
    assert done.stdout == b"name hole6.example.test attempts 2\n" + GREETING + b"a line\n"


# asockctl


def test_ping(path):
    assert ctl(path, "ping", status=0) is not None
    assert json.loads(ctl(path, "--json", "ping")) == {}
    assert json.loads(ctl(path, "ping", "--json")) == {}


def test_call(path):
    reply = json.loads(ctl(path, "call", wire.WHOAMI, "{}"))
    assert reply["uid"] == os.geteuid()
    reply = json.loads(ctl(path, "--json", "call", wire.SERVICE + ".GetInfo"))
    assert reply["product"] == "asockd"


def test_call_error(path):
    output, _ = ctl(path, "--json", "call", wire.CONNECTOR + ".Connect", '{"bogus":1}', status=1)
    assert json.loads(output) == {"error": wire.INVALID_PARAMETER,
                                  "parameters": {"parameter": "bogus"}}
    output, error = ctl(path, "call", wire.CONNECTOR + ".Connect", '{"bogus":1}', status=1)
    assert output == b""
    assert b"bogus" in error


def test_resolve(path):
    assert b"127.0.0.1" in ctl(path, "resolve", "here.test")
    assert b"443" in ctl(path, "resolve", "here.test", "https")
    output = ctl(path, "--json", "resolve", "here.test", "https")
    assert output.count(b"\n") == 1
    reply = json.loads(output)
    assert reply["endpoints"] == [{"family": "inet", "address": "127.0.0.1", "port": 443}]
    assert reply["source"] == "hosts"


def test_probe(path, greeter):
    text = ctl(path, "connect", "--probe", "here.test", greeter.port).decode()
    assert "127.0.0.1" in text and "connected" in text
    output = ctl(path, "--json", "connect", "--probe", f"here.test:{greeter.port}")
    *events, reply = [json.loads(line) for line in output.splitlines()]
    assert all(set(event) == {"event"} for event in events)
    assert reply["peer"]["port"] == greeter.port
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["connected"]


def test_connect_joins_standard_input_and_output(path, greeter):
    data = os.urandom(1 << 20)
    assert ctl(path, "connect", "here.test", greeter.port, text=data) == GREETING + data


def test_connect_ends_with_the_peer(path):
    with Greeter() as greeter:
        with subprocess.Popen([tool("asockctl"), "--socket", str(path), "connect",
                               f"here.test:{greeter.port}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == GREETING
            process.stdin.write(b"still here\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"still here\n"
            process.stdin.close()
            assert process.stdout.read() == b""
            assert process.wait(20) == 0


@contextlib.contextmanager
def one_peer(serve):
    """The port of a listener whose first connection is given to a function in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def accept():
            with contextlib.closing(listener.accept()[0]) as connection:
                connection.settimeout(20)
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def read_all(connection):
    """Up to the end."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_connect_sends_all_to_a_peer_that_ends_first(path):
    received = []
    data = os.urandom(8 << 20)

    def end_and_read(connection):
        connection.shutdown(socket.SHUT_WR)
        received.append(read_all(connection))

    with one_peer(end_and_read) as port:
        assert ctl(path, "connect", "here.test", port, text=data) == b""
    assert received == [data]


def test_connect_passes_on_an_end_while_its_input_is_open(path):
    received = []

    def greet(connection):
        connection.sendall(GREETING)
        connection.shutdown(socket.SHUT_WR)
        received.append(read_all(connection))

    with one_peer(greet) as port:
        with subprocess.Popen([tool("asockctl"), "--socket", str(path), "connect", "here.test",
                               str(port)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout.read() == GREETING
            assert process.poll() is None
            process.stdin.write(b"late\n")
            process.stdin.close()
            assert process.wait(20) == 0
    assert received == [b"late\n"]


@pytest.mark.parametrize("size", [1, 8 << 20])
def test_connect_that_is_reset_has_failed(path, size):
    def greet_and_reset(connection):
        connection.recv(1)
        connection.sendall(GREETING)
        close_with_reset(connection)

    with one_peer(greet_and_reset) as port:
        _, error = ctl(path, "connect", "here.test", port, text=b"x" * size, status=5)
        assert b"ECONNRESET" in error


def shell(path, command):
    """The exit code and standard error of a shell command with "asockctl" in it."""
    command = command.replace("asockctl", f"{tool('asockctl')} --socket {path}")
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, timeout=60)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("output,why", [(">/dev/full", "No space left on device"),
                                        (">&-", "Bad file descriptor")])
@pytest.mark.parametrize("verb", ["ping", "--json whoami", "resolve here.test", "help"])
def test_answer_that_cannot_be_written(path, verb, output, why):
    assert shell(path, f"asockctl {verb} {output}") == (
        5, f"asockctl: cannot write the answer: {why}\n")


def test_times_have_digits(path, greeter):
    for arguments in (["ping"], ["resolve", "here.test"],
                      ["connect", "--probe", "here.test", greeter.port]):
        times = re.findall(r"[0-9.]+ m?s", ctl(path, *arguments).decode())
        assert times
        assert all(re.fullmatch(r"0\.\d\d\d ms|[1-9]\d*\.\d m?s", time) for time in times), times


CONTROLS = "\x1b[31m\x07\nFAKE\x7f\u009b"
ENDPOINT = {"family": "unix", "address": CONTROLS}
ATTEMPT = {"endpoint": ENDPOINT, "target": CONTROLS, "source": CONTROLS, "startedUsec": 1,
           "elapsedUsec": 2, "outcome": "failed", "error": CONTROLS}
HOSTILE = [
    {"parameters": {"endpoints": [ENDPOINT], "server": ENDPOINT, "name": CONTROLS,
                    "source": CONTROLS, "resolveUsec": 1, CONTROLS: CONTROLS}},
    {"error": wire.CONNECT_FAILED, "parameters": {"errno": CONTROLS, "attempts": [ATTEMPT]}},
    {"error": CONTROLS, "parameters": {CONTROLS: CONTROLS}},
]


@pytest.mark.parametrize("reply", HOSTILE, ids=["result", "attempts", "error"])
@pytest.mark.parametrize("verb", [["resolve", "a"], ["whoami"], ["connect", "--probe", "a", "1"],
                                  ["connect", "a:1"], ["call", "a.B"]], ids=" ".join)
@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_control_characters_do_not_reach_the_terminal(tmp_path, reply, verb, option):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def answer():
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(json.dumps(reply, ensure_ascii=False).encode() + b"\0")

        thread = threading.Thread(target=answer)
        thread.start()
        done = subprocess.run([tool("asockctl"), "--socket", str(tmp_path / "socket"), *option,
                               *verb], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=60)
        thread.join()
    output = (done.stdout + done.stderr).decode()
    assert output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", output), output
    assert "\nFAKE" not in output
    if option and "error" in reply:
        assert json.loads(done.stdout) == reply


EXIT_CODES = {
    "usage: no verb": (1, []),
    "usage: unknown verb": (1, ["dance"]),
    "usage: unknown option": (1, ["ping", "--dance"]),
    "UnknownService": (1, ["resolve", "here.test", "no-such-service"]),
    "InvalidName": (1, ["resolve", "a..b"]),
    "NameNotFound": (2, ["resolve", "nowhere.test"]),
    "NoData": (3, ["resolve", "empty.test"]),
    "TimedOut while resolving": (4, ["--timeout", "0.3", "resolve", "silent.test"]),
    "TimedOut while connecting": (4, ["--timeout", "0.3", "connect", "--probe", "here.test:HOLE"]),
    "ServerFailed": (5, ["resolve", "broken.test"]),
    "ConnectFailed": (5, ["connect", "--probe", "here.test", "CLOSED"]),
    "Denied": (8, ["connect", "--probe", "127.0.0.66", "CLOSED"]),
}


@pytest.mark.parametrize("status,arguments", EXIT_CODES.values(), ids=EXIT_CODES.keys())
def test_exit_code(start, status, arguments):
    rules = {"empty.test A": {}, "empty.test AAAA": {},
             "silent.test A": {"drop": True}, "silent.test AAAA": {"drop": True},
             "broken.test A": {"rcode": 2}, "broken.test AAAA": {"rcode": 2}}
    with DnsServer(rules) as server, BlackHole() as hole:
        daemon = start("[Never]\nTo=127.0.0.66\n", [f"Servers=127.0.0.1:{server.port}"],
                       hosts="127.0.0.1 here.test\n")
        closed = str(closed_port())
        arguments = [word.replace("HOLE", str(hole.port)).replace("CLOSED", closed)
                     for word in arguments]
        output, error = ctl(daemon.socket, *arguments, status=status)
        assert error.strip()
        # A probe that failed shows its attempts all the same.
        assert output == b"" or (status in (4, 5) and "--probe" in arguments)
        if arguments[:1] in (["resolve"], ["connect"]):
            output, _ = ctl(daemon.socket, "--json", *arguments, status=status)
            # A probe's events come before.
            assert set(json.loads(output.splitlines()[-1])) == {"error", "parameters"}


def test_exit_code_without_a_daemon(tmp_path):
    output, error = ctl(tmp_path / "nothing", "ping", status=7)
    assert output == b""
    assert b"nothing" in error


def test_exit_code_where_no_daemon_can_be(tmp_path):
    for path in (tmp_path, tmp_path / ("a" * 200), "/dev/null/socket"):
        ctl(path, "ping", status=7)
    ctl("", "ping", status=1)


def test_exit_code_denied_by_policy(start):
    daemon = start("[Policy]\nDefault=deny\n")
    ctl(daemon.socket, "connect", "--probe", "localhost", closed_port(), status=8)


def test_version_and_help():
    for option in ("--version", "--help"):
        done = subprocess.run([tool("asockctl"), option], capture_output=True, text=True,
                              check=True, timeout=60)
        assert "asockctl" in done.stdout
        assert done.stderr == ""
