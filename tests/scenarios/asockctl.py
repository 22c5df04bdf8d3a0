# SPDX-License-Identifier: MIT
"""What the scenarios of asockctl share: running it, on a terminal too, and what its manual shows."""

import os
import pty
import re
import shlex
import subprocess

import pytest

from daemon import source_dir, tool


def endpoint(address, port=None):
    """An Endpoint of the interfaces."""
    made = {"family": "inet6" if ":" in address else "inet", "address": address}
    return {**made, "port": port} if port else made


def run(daemon, *arguments, environment=None):
    """(exit code, standard output, standard error) of asockctl."""
    done = subprocess.run([tool("asockctl"), "--socket", str(daemon.socket), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
                          env={**os.environ, "COLUMNS": "", **(environment or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def on_a_terminal(daemon, *arguments, environment=()):
    """What asockctl prints to one."""
    ours, theirs = pty.openpty()
    subprocess.run([tool("asockctl"), "--socket", str(daemon.socket), *arguments], stdout=theirs,
                   stdin=subprocess.DEVNULL, check=True, timeout=60,
                   env={**os.environ, "COLUMNS": "", "TERM": "xterm", "NO_COLOR": "",
                        **dict(environment)})
    os.close(theirs)
    output = b""
    try:
        while data := os.read(ours, 65536):
            output += data
    except OSError:
        pass  # the end of a terminal
    os.close(ours)
    return output.decode().replace("\r\n", "\n")


def manual_examples(verbs):
    """The commands of asockctl(1) that are of these verbs, each with what it shows."""
    text = (source_dir() / "doc/asockctl.1").read_text()
    for display in re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text, re.M | re.S):
        for block in re.split(r"^\$ ", display.replace(r"\e", "\\"), flags=re.M)[1:]:
            command, output = block.split("\n", 1)
            if command.split()[0] == "asockctl" and command.split()[1] in verbs:
                yield pytest.param(shlex.split(command)[1:], output, id=command)
