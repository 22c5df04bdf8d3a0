# SPDX-License-Identifier: MIT
"""The real asockd as a child of the test: started with files of its own, ready when it says so, and
ended properly.

Each daemon lives in a directory of its own with a short path (a unix socket's path is at most 107
bytes). It never sees the machine's resolv.conf or hosts file, only what the test gave it.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|LeakSanitizer")
START_SECONDS = 20
STOP_SECONDS = 40
# A connection to a name server is kept for ten seconds, and as long goes a question on in the background.
SETTLE_SECONDS = 15


class StartFailed(Exception):
    """The daemon ended before it was ready."""

    def __init__(self, status, stderr):
        super().__init__(f"status {status}: {stderr}")
        self.status = status
        self.stderr = stderr


def build_dir():
    """Where the programs were built."""
    return pathlib.Path(os.environ["ASOCK_BUILD"])


def source_dir():
    """The top of the source tree."""
    return pathlib.Path(__file__).resolve().parents[2]


def tool(name):
    """A built program."""
    return str(build_dir() / name)


class Daemon:
    """asockd on a private socket.

    config    text of the configuration, without [Resolve]
    resolve   lines of [Resolve]: servers and what else the test needs
    hosts     text of the hosts file
    prefix    a command that runs the daemon elsewhere, as in a namespace; it must exec, not fork
    options   further words of the command line
    """

    all = []  # those whose directory is there, for the report of a test that fails

    def __init__(self, config="", resolve=(), hosts="", resolv_conf="", prefix=(), options=(),
                 environment=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asockd-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.socket = self.directory / "asockd.sock"
        self.control = self.directory / "control.sock"
        self.config_file = self.directory / "asockd.conf"
        self.stderr_file = self.directory / "stderr"
        self.hosts_file = self.directory / "hosts"
        self.resolve = tuple(resolve)
        self.hosts_file.write_text(hosts)
        (self.directory / "resolv.conf").write_text(resolv_conf)
        self.write_config(config)
        self.environment = environment or {}
        self.command = [*prefix, tool("asockd"), "--config", str(self.config_file),
                        "--socket", str(self.socket), "--control", str(self.control), *options]
        self.process = None
        self.descriptors_at_start = None
        Daemon.all.append(self)

    def write_config(self, config):
        """(Re)writes the configuration file; a reload is the test's business."""
        files = [f"HostsFile={self.hosts_file}", f"ResolvConf={self.directory}/resolv.conf",
                 "ServicesFile=/etc/services"]
        self.config_file.write_text("\n".join([
            "[Connect]", f"GaiConf={self.directory}/gai.conf", "[Resolve]", *files, *self.resolve,
            config, ""]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.remove()

    def start(self, pass_fds=()):
        """Starts it and waits for READY=1; raises StartFailed."""
        notify_path = self.directory / "notify"
        notify_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.stderr_file, "ab") as stderr:
            notify.bind(str(notify_path))
            notify_path.chmod(0o666)
            environment = {**os.environ, "NOTIFY_SOCKET": str(notify_path), **self.environment}
            for name in ("LISTEN_FDS", "LISTEN_PID", "ASOCKD_SOCKET"):
                if name not in self.environment:
                    environment.pop(name, None)
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=stderr,
                                            env=environment, pass_fds=pass_fds)
            self.wait_ready(notify)
        # It says that it is ready a moment before it closes what it said so with.
        wait_for(self.is_asleep, "the daemon's loop")
        self.descriptors_at_start = self.count_descriptors()

    def wait_ready(self, notify):
        """Until READY=1, the end of the process, or too long."""
        notify.settimeout(0.05)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                if self.process.poll() is not None:
                    raise StartFailed(self.process.returncode, self.stderr()) from None
        self.process.kill()
        self.process.wait()
        raise StartFailed(None, f"not ready after {START_SECONDS} s\n{self.stderr()}")

    @property
    def pid(self):
        """The daemon's process."""
        return self.process.pid

    def stderr(self):
        """All it said."""
        if not self.stderr_file.exists():
            return ""
        return self.stderr_file.read_text(errors="replace")

    def wait_stderr(self, text, seconds=10):
        """Waits until it said this."""
        wait_for(lambda: text in self.stderr(), f"{text!r} in the log", seconds)

    def stop(self):
        """SIGTERM: it ends with status 0, without a leak and without a sanitizer's report."""
        assert self.process.poll() is None, f"the daemon ended by itself\n{self.stderr()}"
        self.check_descriptors()
        self.process.send_signal(signal.SIGTERM)
        self.wait_end()

    def wait_end(self):
        """The proper end of a daemon that was told to."""
        status = self.process.wait(STOP_SECONDS)
        report = self.stderr()
        assert not SANITIZER_REPORT.search(report), report
        assert status == 0, f"status {status}\n{report}"

    def remove(self):
        """What is left of it, whatever happened."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self in Daemon.all:
            Daemon.all.remove(self)

    def is_asleep(self):
        """Whether its loop waits for something to happen."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "S"

    def count_descriptors(self):
        """Open descriptors of the daemon."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def list_descriptors(self):
        """What they are, for a message."""
        directory = f"/proc/{self.pid}/fd"
        found = []
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{directory}/{name}"))
        return sorted(found)

    def check_descriptors(self, expected=None):
        """As many as at the start, once what was closed has been noticed."""
        expected = self.descriptors_at_start if expected is None else expected
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            if self.count_descriptors() == expected:
                return
            time.sleep(0.01)
        raise AssertionError(f"not {expected} descriptors: {self.list_descriptors()}")


def wait_for(condition, what, seconds=10):
    """Waits until the condition holds; fails the test when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)
