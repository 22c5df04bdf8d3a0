# SPDX-License-Identifier: MIT
"""Other resolvers that resolve.py compares asockd with, and the namespaces in which they can run:
Unbound, which forwards to the scripted upstream, and systemd-resolved, which asks it itself."""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile

from daemon import wait_for
from upstream import EVERY_A

INSIDE = "ASOCK_BENCH_INSIDE"  # set in the namespaces
UNBOUND, SPARE_PORT = "127.0.0.53", 5353

RESOLVED_REQUEST = json.dumps({"method": "io.systemd.Resolve.ResolveHostname",
                               "parameters": {"name": "@", "flags": 0}}, separators=(",", ":"))
RESOLVED_EXPECTED = str(list(socket.inet_pton(socket.AF_INET, EVERY_A))).replace(" ", "")


def go_inside():
    """Into namespaces of our own, where that is possible; comes back where it is not."""
    command = ["unshare", "--mount", "--net"]
    if os.environ.get(INSIDE) or os.geteuid() != 0 or \
            subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        return
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def furnish(directory):
    """Loopback, an interface with an address of each family, which sorting and resolved want,
    and files that say nothing of the machine."""
    if os.environ.get(INSIDE) != "1":
        return
    for words in ("link set lo up", "link add bench0 type veth peer name bench1",
                  "link set bench1 up", "link set bench0 up",
                  "address add 192.0.2.254/24 dev bench0",
                  "address add 198.18.0.254/15 dev bench0",
                  "address add 2001:db8::fe/32 dev bench0 nodad"):
        subprocess.run(["ip", *words.split()], check=False, stderr=subprocess.DEVNULL)
    for path, text in (("/etc/resolv.conf", f"nameserver {UNBOUND}\n"),
                       ("/etc/nsswitch.conf", "hosts: files dns\n"), ("/etc/hosts", "")):
        mine = directory / path.replace("/", "_")
        mine.write_text(text)
        subprocess.run(["mount", "--bind", str(mine), os.path.realpath(path)], check=True)


@contextlib.contextmanager
def process(command, ready, what, environment=None):
    """A server, from when it answers until it is told to end."""
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                  env={**os.environ, **(environment or {})})
        try:
            wait_for(lambda: server.poll() is not None or ready(), what)
            if server.poll() is not None:
                said.seek(0)
                raise AssertionError(f"{what}: {said.read().decode(errors='replace')}")
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def answers(address, port):
    """Whether a name server does."""
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\1r\5bench\4test\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        with contextlib.suppress(OSError):
            probe.connect((address, port))
            probe.send(query)
            return len(probe.recv(512)) > len(query)
    return False


def resolved_answers(path):
    """Whether it has found its network; it knows nothing of it at first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        with contextlib.suppress(OSError):
            client.connect(path)
            client.sendall(RESOLVED_REQUEST.replace("@", "r.bench.test").encode() + b"\0")
            return RESOLVED_EXPECTED.encode() in client.recv(65536)
    return False


class Others:
    """They end with stack. root: a folder with their packages, or None; left_out: what is missing
    is named there."""

    def __init__(self, root, directory, upstream, stack, left_out):
        self.root = root
        self.directory = directory
        self.upstream = upstream
        self.stack = stack
        self.left_out = left_out
        self.inside = os.environ.get(INSIDE) == "1"
        self.port = 53 if self.inside else SPARE_PORT
        self.unbound = f"{UNBOUND}:{self.port}"

    def program(self, name, *places):
        """Where a peer's program is, or None."""
        for place in places:
            if self.root and (self.root / place.lstrip("/")).exists():
                return str(self.root / place.lstrip("/"))
            if os.path.exists(place):
                return place
        return shutil.which(name)

    def start_unbound(self):
        """The process id, or None. It forwards to the upstream."""
        program = self.program("unbound", "/usr/sbin/unbound")
        if not program:
            self.left_out.append("Unbound, and getaddrinfo through it: no program unbound")
            return None
        config = self.directory / "unbound.conf"
        config.write_text(f"""server:
    interface: {UNBOUND}
    port: {self.port}
    do-daemonize: no
    use-syslog: no
    logfile: ""
    verbosity: 0
    chroot: ""
    username: ""
    pidfile: ""
    directory: "{self.directory}"
    do-not-query-localhost: no
    module-config: "iterator"
    msg-cache-size: 256m
    rrset-cache-size: 256m
    num-threads: 1
    outgoing-range: 900
    num-queries-per-thread: 512
    local-zone: "test." nodefault
forward-zone:
    name: "."
    forward-addr: {self.upstream.addresses[0]}@{self.upstream.port}
remote-control:
    control-enable: no
""")
        return self.stack.enter_context(process(
            [program, "-c", str(config)], lambda: answers(UNBOUND, self.port), "unbound"))

    def start_resolved(self):
        """(process id, socket) of systemd-resolved, or None."""
        program = self.program("systemd-resolved", "/lib/systemd/systemd-resolved")
        if not program or not self.inside:
            self.left_out.append("systemd-resolved: " + (
                "needs root" if program else "no /lib/systemd/systemd-resolved"))
            return None
        try:
            self.furnish_resolved()
            path = "/run/systemd/resolve/io.systemd.Resolve"
            pid = self.stack.enter_context(process(
                [program], lambda: os.path.exists(path), "systemd-resolved",
                {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}))
            wait_for(lambda: resolved_answers(path), "an answer of systemd-resolved")
            return pid, path
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            self.left_out.append(f"systemd-resolved does not run here: {str(error)[:300]}")
            return None

    def furnish_resolved(self):
        """What it wants to find: a user, /run and its configuration."""
        config = self.directory / "resolved.conf"
        config.write_text(f"""[Resolve]
DNS={self.upstream.addresses[0]}:{self.upstream.port}
FallbackDNS=
Domains=~.
DNSSEC=no
LLMNR=no
MulticastDNS=no
DNSStubListener=no
ReadEtcHosts=no
Cache=yes
CacheFromLocalhost=yes
""")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/etc/systemd"],
                       check=True)
        shutil.copy(config, "/etc/systemd/resolved.conf")
        os.mkdir("/run/systemd")
        with contextlib.suppress(KeyError):
            pwd.getpwnam("systemd-resolve")
            return
        for name, line in (("passwd", "systemd-resolve:x:64999:64999::/:/usr/sbin/nologin\n"),
                           ("group", "systemd-resolve:x:64999:\n")):
            mine = self.directory / name
            mine.write_text(pathlib.Path("/etc", name).read_text() + line)
            mine.chmod(0o644)
            subprocess.run(["mount", "--bind", str(mine), f"/etc/{name}"], check=True)
