# SPDX-License-Identifier: MIT
"""Who may connect where: the built-in default, roles by namespace and by user, [Never], and the
classes of addresses.

The programs that ask sit in a namespace without any interface and reach the daemon through its
bind-mounted socket, as a container with --network none does. Without root the configuration is
tested, and what one user may do.
"""

import json
import os
import subprocess
import sys

import pytest

import wire
from conftest import RIG_PORT
from daemon import tool
from needs import require_program, require_root
from rig import SERVER4
from wire import Client

OPEN_BOX = "[Role box]\nMatch=netns:other\nMode=open\n"
WIRE = wire.__file__


@pytest.fixture
def gate(rig, nsd, start):
    """A function that starts the daemon in the client namespace under a policy."""
    def start_gate(policy="", servers=(SERVER4,), **keywords):
        daemon = start(policy, [f"Servers={server}" for server in servers],
                       prefix=rig.inside(rig.client), **keywords)
        daemon.socket.chmod(0o666)
        return daemon

    return start_gate


def ask(daemon, method, parameters=None, user=None, boxed=True, inside=()):
    """Calls from a process of its own; boxed: without interfaces, over a bind-mounted socket."""
    call = [sys.executable, WIRE, "box.sock", method, json.dumps(parameters or {})]
    if user is not None:
        call = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *call]
    if boxed:
        script = 'mount -t tmpfs box /mnt && cd /mnt && : > box.sock && chmod 755 . &&' \
                 ' mount --bind "$0" box.sock && exec "$@"'
        call = ["unshare", "--net", "--mount", "sh", "-c", script, str(daemon.socket), *call]
    else:
        call[call.index("box.sock")] = str(daemon.socket)
    done = subprocess.run([*inside, *call], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def connect(daemon, host, port=RIG_PORT, **keywords):
    """One Connect; the reply."""
    return ask(daemon, wire.CONNECT, {"host": host, "service": str(port)}, **keywords)


def denied(reply, *stages):
    """Whether a reply is a denial at this stage; a literal has both verdicts at once."""
    assert reply.get("error") == wire.DENIED, reply
    assert reply["parameters"]["stage"] in stages, reply
    assert "rule" not in reply["parameters"]
    return True


def greeted(reply):
    """Whether a reply brought a working connection."""
    assert "error" not in reply, reply
    return reply["greeting"] == "greetings\n"


# From a namespace without interfaces


def test_box_is_denied_without_a_policy(gate):
    daemon = gate()
    me = ask(daemon, wire.WHOAMI)["parameters"]
    assert me["netns"] == "other"
    assert "role" not in me
    assert denied(connect(daemon, "dual.example.test"), "name")
    assert denied(connect(daemon, "198.18.16.1"), "name", "address")
    resolved = ask(daemon, wire.RESOLVE, {"host": "dual.example.test"})
    assert denied(resolved, "name")


def test_denied_name_is_never_asked_for(rig, gate):
    # The name server is the router's black hole: a question for it would take seconds.
    daemon = gate(servers=["198.18.17.53"])
    assert denied(connect(daemon, "dual.example.test"), "name")


def test_box_is_allowed_by_a_role(gate):
    daemon = gate(OPEN_BOX)
    me = ask(daemon, wire.WHOAMI)["parameters"]
    assert me["netns"] == "other"
    assert me["role"] == "box"
    reply = connect(daemon, "dual.example.test")
    assert greeted(reply)
    assert reply["peer"] == ["2001:db8:0:10::1", RIG_PORT]
    assert greeted(connect(daemon, "198.18.16.1"))


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0x7f.1",
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "fd00::1", "private.example.test",
    "169.254.7.7", "fe80::1%up0",
    "169.254.169.254", "fd00:ec2::254",
    "224.0.0.1", "ff02::1", "255.255.255.255", "0.0.0.0", "::",
])
def test_classes_stay_closed_for_an_open_role(gate, host):
    assert denied(connect(gate(OPEN_BOX), host), "address")


@pytest.mark.parametrize("host, protocol", [
    ("198.18.0.2", "tcp"), ("2001:db8:0:c::2", "tcp"), ("::ffff:198.18.0.2", "tcp"),
    # A second address of the same network: the kernel would answer from the first.
    ("198.18.40.5", "tcp"), ("198.18.40.6", "tcp"), ("second.test", "tcp"),
    # Whole ranges that are routed to the host itself, and its anycast address as a router.
    ("198.18.41.77", "tcp"), ("2001:db8:0:41::77", "tcp"), ("2001:db8:0:40::", "udp"),
])
def test_own_addresses_stay_closed_for_other_namespaces(gate, host, protocol):
    daemon = gate(OPEN_BOX, hosts="198.18.40.6 second.test\n")
    reply = ask(daemon, wire.CONNECT, {"host": host, "service": str(RIG_PORT),
                                       "protocol": protocol, "timeoutUsec": 5_000_000})
    assert denied(reply, "address")


def test_name_with_a_forbidden_address_uses_the_others(gate):
    hosts = "127.0.0.1 both.test\n198.18.16.1 both.test\n"
    reply = connect(gate(OPEN_BOX, hosts=hosts), "both.test")
    assert greeted(reply)
    assert reply["peer"] == ["198.18.16.1", RIG_PORT]


def test_never_closes_an_address_for_a_role(gate):
    daemon = gate("[Never]\nTo=198.18.16.1\nTo=2001:db8:0:10::/64\n" + OPEN_BOX)
    assert denied(connect(daemon, "dual.example.test"), "address")
    assert denied(connect(daemon, "198.18.16.1"), "address")
    assert denied(connect(daemon, "::ffff:198.18.16.1"), "address")
    assert greeted(connect(daemon, "198.18.16.4"))


@pytest.mark.parametrize("option", [
    {"bindAddress": "127.0.0.1"}, {"bindPort": 0}, {"bindDevice": "lo"}, {"mark": 0},
    {"typeOfService": 0}, {"priority": 0}, {"multipath": True}, {"fastOpen": True},
])
def test_privileged_options_need_a_word_in_a_role(start, greeter, option):
    with Client(start().socket) as client:
        with pytest.raises(wire.CallError) as caught:
            client.connect("127.0.0.1", greeter.port, options=option)
        assert caught.value.name == wire.DENIED
        assert caught.value.parameters == {"stage": "option", "option": next(iter(option))}


def test_options_that_ask_for_nothing_special_are_no_privilege(start, greeter):
    with Client(start().socket) as client:
        _, connection = client.connect("127.0.0.1", greeter.port,
                                       options={"multipath": False, "fastOpen": False})
        connection.close()


def test_privileged_options_are_denied(gate):
    daemon = gate(OPEN_BOX)
    reply = ask(daemon, wire.CONNECT, {"host": "198.18.16.1", "service": str(RIG_PORT),
                                       "options": {"mark": 1}})
    assert denied(reply, "option")


# From the daemon's own namespace


def test_never_holds_for_everyone(gate, rig):
    daemon = gate("[Never]\nTo=198.18.16.1\n")
    with rig.entered(rig.client):
        client = Client(daemon.socket)
    with client:
        _, connection = client.connect("198.18.16.4", RIG_PORT)
        connection.close()
        with pytest.raises(wire.CallError) as caught:
            client.connect("198.18.16.1", RIG_PORT)
        assert caught.value.name == wire.DENIED
        assert caught.value.parameters["stage"] == "address"


def test_metadata_addresses_are_closed_to_everyone(start):
    with Client(start().socket) as client:
        for host in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"):
            with pytest.raises(wire.CallError) as caught:
                client.connect(host, 80, timeoutUsec=2_000_000)
            assert caught.value.name == wire.DENIED


def test_roles_by_user(start, greeter):
    require_root()
    require_program("setpriv")
    policy = "[Policy]\nDefault=deny\n[Role eve]\nMatch=uid:4711\nMode=open\n" \
             "[Role root]\nMatch=uid:0\nMode=open\n"
    daemon = start(policy)
    daemon.socket.chmod(0o666)
    assert ask(daemon, wire.WHOAMI, boxed=False, user=4711)["parameters"]["role"] == "eve"
    assert ask(daemon, wire.WHOAMI, boxed=False, user=0)["parameters"]["role"] == "root"
    assert "role" not in ask(daemon, wire.WHOAMI, boxed=False, user=4712)["parameters"]
    reply = connect(daemon, "127.0.0.1", greeter.port, boxed=False, user=4712)
    assert denied(reply, "name", "address")
    reply = connect(daemon, "localhost", greeter.port, boxed=False, user=4712)
    assert denied(reply, "name")


def test_all_words_of_a_match_must_hold(gate, rig):
    require_program("setpriv")
    policy = "[Role both]\nMatch=netns:other uid:4711\nMode=open\n"
    daemon = gate(policy)
    assert ask(daemon, wire.WHOAMI, user=4711)["parameters"]["role"] == "both"
    assert "role" not in ask(daemon, wire.WHOAMI, user=4712)["parameters"]
    me = ask(daemon, wire.WHOAMI, user=4711, boxed=False, inside=rig.inside(rig.client))
    assert me["parameters"]["netns"] == "same"
    assert "role" not in me["parameters"]
    assert greeted(connect(daemon, "dual.example.test", user=4711))
    assert denied(connect(daemon, "dual.example.test", user=4712), "name")


def test_any_line_of_a_match_may_hold(start):
    policy = f"[Role one]\nMatch=uid:4000000\nMatch=uid:{os.geteuid()}\nMode=open\n"
    with Client(start(policy).socket) as client:
        assert client.call(wire.WHOAMI)["role"] == "one"


def test_first_role_in_file_order_wins(start):
    uid = os.geteuid()
    policy = f"[Role first]\nMatch=netns:same uid:{uid}\nMode=open\n" \
             f"[Role second]\nMatch=uid:{uid}\nMode=open\n"
    with Client(start(policy).socket) as client:
        assert client.call(wire.WHOAMI)["role"] == "first"


def test_default_deny(start, greeter):
    with Client(start("[Policy]\nDefault=deny\n").socket) as client:
        assert client.call(wire.PING) == {}
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(wire.CallError) as caught:
                client.connect(host, greeter.port)
            assert caught.value.name == wire.DENIED
            assert caught.value.parameters["stage"] in ("name", "address")
        assert greeter.accepted == 0


def test_any_role_implies_deny_for_the_rest(start, greeter):
    with Client(start("[Role other]\nMatch=uid:4000000\nMode=open\n").socket) as client:
        with pytest.raises(wire.CallError) as caught:
            client.connect("localhost", greeter.port)
        assert caught.value.name == wire.DENIED


# Configuration


@pytest.mark.parametrize("line,text", [
    (3, "[Role web]\nMatch=netns:other\nAllow=tcp *.example.com:443\n"),
    (2, "[Role web]\nMatch=unit:web.service\nMode=open\n"),
    (3, "[Role web]\nMatch=netns:other\nMode=enforce\n"),
    (4, "[Role web]\nMatch=netns:other\nMode=open\nRequireSeal=all\n"),
    (4, "[Role web]\nMatch=netns:other\nMode=open\nExplain=yes\n"),
    (4, "[Role web]\nMatch=netns:other\nMode=open\nDeny=tcp a.test:1\n"),
])
def test_what_is_not_supported_yet_is_an_error(tmp_path, line, text):
    path = tmp_path / "asockd.conf"
    path.write_text(text)
    done = subprocess.run([tool("asockd"), "--config", str(path), "--check"],
                          capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"{path}:{line}:" in done.stderr
    assert "not supported yet" in done.stderr


@pytest.mark.parametrize("line,text", [
    (2, "[Never]\nTo=nonsense\n"),
    (2, "[Policy]\nDefault=maybe\n"),
    (2, "[Role web]\nMatch=netns:mine\nMode=open\n"),
    (2, "[Role web]\nMatch=uid:many\nMode=open\n"),
    (2, "[Policy]\nDefualt=deny\n"),
    (1, "[Polizei]\nDefault=deny\n"),
])
def test_mistakes_name_their_place(tmp_path, line, text):
    path = tmp_path / "asockd.conf"
    path.write_text(text)
    done = subprocess.run([tool("asockd"), "--config", str(path), "--check"],
                          capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"{path}:{line}:" in done.stderr
