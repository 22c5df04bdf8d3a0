# SPDX-License-Identifier: MIT
"""The program asockd: options, sockets at its path, reload, drain, and being handed its sockets."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

import wire
from daemon import Daemon, StartFailed, source_dir, tool, wait_for
from needs import require_program
from peers import BlackHole
from wire import Client


def run(*arguments, status=0):
    """Runs asockd to its end; answers (standard output, standard error)."""
    done = subprocess.run([tool("asockd"), *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=30)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


# Options


def test_version():
    output, _ = run("--version")
    assert output.startswith("asockd ")


@pytest.mark.parametrize("arguments", [["--dance"], ["--log", "loud"], ["operand"], ["--config"],
                                       ["--config", "/nowhere/asockd.conf"],
                                       ["-o", "Connect.TimeoutMs=soon"], ["-o", "Connect"],
                                       ["-o", "Connect.Dance=1"]])
def test_bad_options(arguments):
    output, error = run(*arguments, "--check", status=1)
    assert output == ""
    assert error.strip()


def test_check(tmp_path):
    path = tmp_path / "asockd.conf"
    path.write_text("[Connect]\nTimeoutMs=5000\n")
    run("--config", path, "--check")
    path.write_text("[Connect]\nTimeoutMs=5 s\n")
    _, error = run("--config", path, "--check", status=1)
    assert f"{path}:2:" in error and "TimeoutMs" in error


def test_default_configuration_is_valid_with_every_key_switched_on(tmp_path):
    shipped = (source_dir() / "systemd" / "asockd.conf").read_text()
    path = tmp_path / "asockd.conf"
    path.write_text(shipped)
    run("--config", path, "--check")
    lines = [line[1:] if line.startswith("#") and not line.startswith("# ") else line
             for line in shipped.splitlines()]
    assert sum("=" in line and not line.startswith("#") for line in lines) >= 15
    path.write_text("\n".join(lines) + "\n")
    run("--config", path, "--check")


def test_drop_ins(tmp_path):
    path = tmp_path / "asockd.conf"
    path.write_text("[Connect]\nTimeoutMs=5000\n")
    for folder in ("asockd.conf.d", "policy.d"):
        (tmp_path / folder).mkdir()
        bad = tmp_path / folder / "10-bad.conf"
        bad.write_text("[Connect]\nDance=1\n")
        _, error = run("--config", path, "--check", status=1)
        assert f"{bad}:2:" in error
        bad.unlink()
    run("--config", path, "--check")


def test_override_from_the_command_line(start):
    with BlackHole() as hole:
        daemon = start("[Connect]\nTimeoutMs=20000\n", options=["-o", "Connect.TimeoutMs=300"])
        with Client(daemon.socket, timeout=10) as client:
            with pytest.raises(wire.CallError) as caught:
                client.connect("127.0.0.1", hole.port)
            assert caught.value.name == wire.TIMED_OUT


# Its sockets


def test_sockets_are_private(start):
    daemon = start()
    for path in (daemon.socket, daemon.control):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    names = {path.name for path in daemon.directory.iterdir()}
    assert names == {"asockd.conf", "asockd.sock", "control.sock", "hosts", "notify", "resolv.conf",
                     "stderr"}


def test_live_socket_is_left_alone(start):
    first = start()
    with pytest.raises(StartFailed) as caught:
        start(options=["--socket", str(first.socket)])
    assert caught.value.status == 2
    assert str(first.socket) in caught.value.stderr
    with Client(first.socket) as client:
        assert client.call(wire.PING) == {}


def test_dead_socket_is_replaced(start):
    first = start()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert first.socket.exists()
    first.start()
    with Client(first.socket) as client:
        assert client.call(wire.PING) == {}


def test_other_file_is_not_replaced(start, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data\n")
    with pytest.raises(StartFailed) as caught:
        start(options=["--socket", str(path)])
    assert caught.value.status == 2
    assert path.read_text() == "data\n"


def test_ordinary_user_has_a_place_of_its_own(tmp_path_factory):
    runtime = tmp_path_factory.mktemp("runtime")
    user = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        require_program("setpriv")
        os.chown(runtime, 4711, 4711)
        for parent in list(runtime.parents)[:2]:
            parent.chmod(0o755)
    process = subprocess.Popen([*user, tool("asockd")], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
    try:
        wait_for((runtime / "asockd" / "control.sock").exists, "the sockets")
        assert stat.S_IMODE((runtime / "asockd").stat().st_mode) == 0o700
        assert stat.S_IMODE((runtime / "asockd" / "asockd.sock").stat().st_mode) == 0o600
        with Client(runtime / "asockd" / "asockd.sock") as client:
            client.call(wire.PING)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not list((runtime / "asockd").iterdir())
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_without_a_place_it_says_what_to_do():
    user = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"] if os.geteuid() == 0 else []
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run([*user, tool("asockd")], capture_output=True, text=True, check=False,
                          timeout=30, env=environment)
    assert done.returncode == 2
    assert "XDG_RUNTIME_DIR" in done.stderr and "--socket" in done.stderr


def test_socket_in_a_missing_folder(start):
    with pytest.raises(StartFailed) as caught:
        start(options=["--socket", "/nowhere/at/all/asockd.sock"])
    assert caught.value.status == 2
    assert "/nowhere/at/all" in caught.value.stderr


# Signals


def test_reload(start, greeter):
    daemon = start()
    with Client(daemon.socket) as client:
        _, connection = client.connect("127.0.0.1", greeter.port)
        connection.close()
        daemon.write_config("[Never]\nTo=127.0.0.1\n")
        daemon.process.send_signal(signal.SIGHUP)

        def is_denied():
            try:
                _, reached = client.connect("127.0.0.1", greeter.port)
            except wire.CallError as error:
                return error.name == wire.DENIED
            reached.close()
            return False

        wait_for(is_denied, "the new rule")


def test_reload_with_a_mistake_keeps_the_old(start, greeter):
    daemon = start("[Never]\nTo=127.0.0.66\n")
    daemon.write_config("[Never]\nTo=127.0.0.1\n[Connect]\nDance=1\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_stderr(f"{daemon.config_file}:")
    with Client(daemon.socket) as client:
        _, connection = client.connect("127.0.0.1", greeter.port)
        connection.close()
        with pytest.raises(wire.CallError) as caught:
            client.connect("127.0.0.66", greeter.port)
        assert caught.value.name == wire.DENIED


def test_file_that_cannot_be_read_is_said_once_and_changes_nothing(start):
    daemon = start(hosts="192.0.2.1 kept.test\n")
    with Client(daemon.socket) as client:
        def resolve():
            return client.call(wire.RESOLVE, host="kept.test")["endpoints"][0]["address"]

        assert resolve() == "192.0.2.1"
        daemon.hosts_file.unlink()
        daemon.hosts_file.mkdir()
        assert resolve() == "192.0.2.1"
        # A reload does not open it anew either.
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_stderr("configuration reloaded")
        assert resolve() == "192.0.2.1"
        assert daemon.stderr().count("cannot be read") == 1
        daemon.hosts_file.rmdir()
        daemon.hosts_file.write_text("192.0.2.2 kept.test\n")
        assert resolve() == "192.0.2.2"
        daemon.hosts_file.unlink()
        with pytest.raises(wire.CallError):
            resolve()


def test_bad_lines_of_system_files_are_named(start):
    daemon = start(hosts="192.0.2.1 kept.test\n\n192.0.2.300 spoilt.test\n::1::2 spoilt.test\n",
                   resolv_conf="# nobody\noptions edns0\nnameserver 300.0.0.1\n")
    said = daemon.stderr()
    assert f"file={daemon.hosts_file} lines=2 first=3" in said, said
    assert f"file={daemon.directory}/resolv.conf lines=1 first=3" in said, said
    assert "file=/etc/services" not in said


def test_many_reloads_leak_nothing(start):
    daemon = start("[Never]\nTo=127.0.0.66\n")
    with Client(daemon.socket) as client:
        client.call(wire.PING)
        before = daemon.count_descriptors()
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
            client.call(wire.PING)
        daemon.check_descriptors(before)


def test_limits_fit_the_number_of_descriptors(start):
    require_program("prlimit")
    daemon = start(prefix=["prlimit", "--nofile=128:128", "--"])
    assert "key=Connections value=64" in daemon.stderr()
    clients = []
    try:
        # One user may hold a quarter of them; who is one too many is told so, and the others go on.
        for _ in range(32):
            clients.append(Client(daemon.socket))
            clients[-1].call(wire.PING)
        clients.append(Client(daemon.socket))
        reply, _ = clients[-1].receive()
        assert reply == {"error": "org.asockd.Connector.LimitExceeded",
                         "parameters": {"limit": "ConnectionsPerUid"}}
        clients[0].call(wire.PING)
    finally:
        for client in clients:
            client.close()


def test_sigterm_finishes_what_was_asked(start):
    daemon = start()
    with BlackHole() as hole, Client(daemon.socket) as client:
        idle = daemon.count_descriptors()
        client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(hole.port),
                                   "timeoutUsec": 1_000_000})
        wait_for(lambda: daemon.count_descriptors() > idle, "the attempt")
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not daemon.socket.exists() or not accepts(daemon.socket),
                 "the end of accepting")
        assert client.receive()[0]["error"] == wire.TIMED_OUT
        assert client.at_end()
    daemon.wait_end()


def accepts(path):
    """Whether a new client gets an answer."""
    try:
        with Client(path, timeout=0.2) as client:
            return client.call(wire.PING) == {}
    except (OSError, wire.Closed):
        return False


def test_sigterm_does_not_wait_for_the_idle(start):
    daemon = start()
    with Client(daemon.socket) as client:
        client.call(wire.PING)
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_end()
        assert time.monotonic() - began < 5
        assert client.at_end()


def test_sigterm_while_a_reply_is_unread(start, greeter):
    daemon = start()
    with Client(daemon.socket) as client:
        client.send(wire.CONNECT, {"host": "127.0.0.1", "service": str(greeter.port)})
        wait_for(lambda: client.unread() > 0, "the reply")
        daemon.process.send_signal(signal.SIGTERM)
        _, connection = client.receive()
        with connection:
            assert connection.recv(100) == b"greetings\n"
    daemon.wait_end()


# Socket activation

# Moves descriptors to 3, 4, … and becomes the program: HAND_OVER FD,FD PROGRAM ARGUMENT…
HAND_OVER = """
import fcntl, os, sys
copies = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 64) for fd in sys.argv[1].split(",")]
for target, fd in enumerate(copies, start=3):
    os.dup2(fd, target, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_sockets_by_hand():
    """LISTEN_FDS as systemd does it: the public socket is descriptor 3, the control socket 4."""
    daemon = Daemon(environment={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "public:control"})
    listeners = []
    try:
        for path in (daemon.socket, daemon.control):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listeners.append(listener)
            listener.bind(str(path))
            listener.listen(16)
        fds = [listener.fileno() for listener in listeners]
        daemon.command = [sys.executable, "-c", HAND_OVER, ",".join(map(str, fds)), *daemon.command]
        daemon.start(pass_fds=fds)
        for path, name in ((daemon.socket, "public"), (daemon.control, "control")):
            with Client(path) as client:
                assert client.call(wire.WHOAMI)["listener"] == name
        daemon.stop()
        # They belong to whoever made them: the daemon leaves them where they are.
        assert daemon.socket.exists()
    finally:
        for listener in listeners:
            listener.close()
        daemon.remove()


def test_systemd_socket_activate():
    require_program("systemd-socket-activate")
    daemon = Daemon()
    path = daemon.directory / "activated.sock"
    process = subprocess.Popen(["systemd-socket-activate", "-l", str(path), "--fdname=public",
                                tool("asockd"), "--config", str(daemon.config_file)],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(path.exists, "the socket")
        with Client(path) as client:
            assert client.call(wire.PING) == {}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        daemon.remove()


def test_notifies_what_it_does():
    """READY=1 comes first, STOPPING=1 at the end, each in a datagram of its own."""
    daemon = Daemon()
    path = daemon.directory / "all"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10)
        process = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL,
                                   env={**os.environ, "NOTIFY_SOCKET": str(path)})
        try:
            assert b"READY=1" in notify.recv(4096)
            process.send_signal(signal.SIGTERM)
            messages = []
            while b"STOPPING=1" not in b"".join(messages):
                messages.append(notify.recv(4096))
            assert process.wait(20) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            daemon.remove()


def test_log_is_one_line_per_event(start):
    daemon = start(options=["--log", "debug"])
    with Client(daemon.socket) as client:
        with pytest.raises(wire.CallError):
            client.call(wire.RESOLVE, host="forged\nline")
        client.call(wire.WHOAMI)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_end()
    assert not any(line.startswith("line") for line in daemon.stderr().splitlines())
