#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The service under a real systemd. Runs in the container of sdboot; test_systemd.py reads what it
prints.

Every check is a function; one line of JSON for each says how it ended. They run in the order of the
file, each starts from a service that may or may not run, on a system where asockd was installed and
nothing was configured.
"""

import grp
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time
import traceback

sys.path.insert(0, "/scenarios")

# pylint: disable=wrong-import-position
import wire  # noqa: E402
from peers import Greeter  # noqa: E402

PUBLIC = "/run/asockd/asockd.sock"
CONTROL = "/run/asockd/control.sock"
SYSCONFDIR = pathlib.Path(pathlib.Path("/scenarios/sysconfdir").read_text().strip())
# What the rig outside offers: a host name cannot be looked up here, but this address greets.
REACHABLE, PORT = "198.18.16.1", 7000

CONSUMER = """\
[Service]
Type=oneshot
DynamicUser=yes
PrivateNetwork=yes
SupplementaryGroups=asock
ExecStart=/usr/bin/python3 /scenarios/wire.py {socket} {method} '{parameters}'
StandardOutput=file:/run/consumer.out
StandardError=file:/run/consumer.err
"""

CHECKS = []


def check(function):
    """Marks a check."""
    CHECKS.append(function)
    return function


def systemctl(*words, status=0):
    """systemctl; answers its output."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False,
                          timeout=30)
    assert status is None or done.returncode == status, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def show(name):
    """A property of the service."""
    return systemctl("show", "-P", name, "asockd.service")


def ping():
    """Whether the daemon answers."""
    with wire.Client(PUBLIC) as client:
        return client.call(wire.PING) == {}


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def consume(method, **parameters):
    """A call by a service without a network of its own."""
    unit = pathlib.Path("/run/systemd/system/consumer.service")
    unit.parent.mkdir(exist_ok=True)
    unit.write_text(CONSUMER.format(socket=PUBLIC, method=method,
                                    parameters=json.dumps(parameters)))
    for name in ("out", "err"):
        pathlib.Path(f"/run/consumer.{name}").unlink(missing_ok=True)
    systemctl("daemon-reload")
    systemctl("start", "consumer.service", status=None)
    output = pathlib.Path("/run/consumer.out").read_text()
    assert output, pathlib.Path("/run/consumer.err").read_text()
    return json.loads(output)


@check
def units_are_understood():
    units = [systemctl("show", "-P", "FragmentPath", name)
             for name in ("asockd.service", "asockd.socket", "asockd-control.socket")]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.stdout + done.stderr == "", done.stdout + done.stderr


@check
def sockets_listen_before_the_service_runs():
    systemctl("start", "asockd.socket")
    for path, group in ((PUBLIC, "asock"), (CONTROL, "asock-admin")):
        found = os.stat(path)
        assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660, path
        assert found.st_uid == 0 and grp.getgrgid(found.st_gid).gr_name == group, path
    assert show("ActiveState") == "inactive"


@check
def first_connection_starts_the_service():
    assert ping()
    assert show("ActiveState") == "active"
    assert show("SubState") == "running"
    assert show("Type") == "notify"


@check
def user_is_a_dynamic_one():
    uid = int(show("UID"))
    assert 61184 <= uid <= 65519
    status = status_of(show("MainPID"))
    assert status["Uid"].split() == [str(uid)] * 4
    assert "asockd" not in pathlib.Path("/etc/passwd").read_text()


@check
def nothing_privileged_is_left():
    status = status_of(show("MainPID"))
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@check
def client_is_seen_as_itself():
    with wire.Client(PUBLIC) as client:
        me = client.call(wire.WHOAMI)
    assert me["uid"] == 0 and me["netns"] == "same", me


@check
def control_socket_answers():
    with wire.Client(CONTROL) as client:
        assert client.call(wire.PING) == {}


@check
def connects_to_a_loopback_listener():
    with Greeter() as greeter, wire.Client(PUBLIC) as client:
        _, connection = client.connect("localhost", greeter.port)
        with connection:
            assert connection.recv(100) == b"greetings\n"


@check
def reload_keeps_the_process():
    pid = show("MainPID")
    systemctl("reload", "asockd.service")
    assert ping()
    assert show("MainPID") == pid


@check
def restart_loses_no_client():
    pid = show("MainPID")
    systemctl("restart", "--no-block", "asockd.service")
    end = time.monotonic() + 20
    while show("MainPID") in (pid, "0"):
        # The socket stays: who connects in between waits and is answered.
        assert ping()
        assert time.monotonic() < end
    assert ping()
    assert show("Result") == "success"
    assert show("NRestarts") == "0"


@check
def connection_outlives_the_daemon():
    with Greeter() as greeter, wire.Client(PUBLIC) as client:
        _, connection = client.connect("127.0.0.1", greeter.port)
        with connection:
            systemctl("stop", "asockd.service")
            assert os.path.exists(PUBLIC) and os.path.exists(CONTROL)
            connection.sendall(b"still here")
            data = b""
            while not data.endswith(b"still here"):
                data += connection.recv(100)
    assert show("ExecMainStatus") == "0"


@check
def client_starts_it_again():
    assert ping()
    assert show("ActiveState") == "active"


@check
def crash_is_repaired():
    pid = show("MainPID")
    systemctl("kill", "--signal=KILL", "asockd.service")
    end = time.monotonic() + 20
    while show("MainPID") in (pid, "0"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert ping()


@check
def consumer_without_network_is_denied():
    reply = consume(wire.WHOAMI)
    assert reply["parameters"]["netns"] == "other", reply
    assert 61184 <= reply["parameters"]["uid"] <= 65519, reply
    reply = consume(wire.CONNECT, host=REACHABLE, service=str(PORT))
    assert reply.get("error") == wire.DENIED, reply


@check
def consumer_with_a_role_gets_its_connection():
    folder = SYSCONFDIR / "asockd" / "policy.d"
    folder.mkdir(parents=True)
    (folder / "consumer.conf").write_text("[Role consumer]\nMatch=netns:other\nMode=open\n")
    systemctl("reload", "asockd.service")
    end = time.monotonic() + 10
    while consume(wire.WHOAMI)["parameters"].get("role") != "consumer":
        assert time.monotonic() < end
    reply = consume(wire.CONNECT, host=REACHABLE, service=str(PORT))
    assert reply.get("greeting") == "greetings\n", reply
    assert reply["peer"] == [REACHABLE, PORT], reply
    for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
        reply = consume(wire.CONNECT, host=host, service="80")
        assert reply.get("error") == wire.DENIED, reply


@check
def stranger_may_not_even_ask():
    done = subprocess.run(["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups",
                           "/usr/bin/python3", "/scenarios/wire.py", PUBLIC, wire.PING],
                          capture_output=True, text=True, check=False, timeout=30)
    assert "PermissionError" in done.stderr, done


@check
def journal_has_its_lines():
    subprocess.run(["journalctl", "--sync"], check=True, timeout=30)
    lines = subprocess.run(["journalctl", "-q", "-u", "asockd.service", "-o", "json"], text=True,
                           capture_output=True, check=True, timeout=30).stdout.splitlines()
    entries = [json.loads(line) for line in lines]
    own = [entry for entry in entries if entry.get("_COMM") == "asockd"]
    assert own
    assert not any(str(entry["MESSAGE"]).startswith("<") for entry in own)
    assert not any("Sanitizer" in str(entry["MESSAGE"]) for entry in own)


def main():
    """Runs all checks."""
    socket.setdefaulttimeout(20)
    for function in CHECKS:
        try:
            function()
            problem = None
        except BaseException:  # pylint: disable=broad-except
            problem = traceback.format_exc()
            problem += subprocess.run(["journalctl", "-q", "-u", "asockd*", "-n", "30"], text=True,
                                      capture_output=True, check=False, timeout=30).stdout
        print(json.dumps({"check": function.__name__, "problem": problem}), flush=True)


if __name__ == "__main__":
    main()
