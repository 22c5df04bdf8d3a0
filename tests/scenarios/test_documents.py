# SPDX-License-Identifier: MIT
"""The examples of the documents work: each is taken out of its file and run against a real daemon.
Only the path of the socket and the port are replaced; example.org stands in a hosts file.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from daemon import build_dir, source_dir, wait_for
from idl import Interface
from needs import require_program
from peers import GREETING, closed_port

SOCKET = "/run/asockd/asockd.sock"
# For root the library ignores the environment, so the programs run as somebody else.
AS_USER = ["setpriv", "--reuid=23456", "--regid=23456", "--clear-groups"]


def extract(document, pattern, word):
    """What the pattern finds in the file, if it holds this word."""
    text = (source_dir() / document).read_text()
    return [block for block in re.findall(pattern, text, re.MULTILINE | re.DOTALL) if word in block]


def fenced(document, language, word=""):
    """The examples of a Markdown file in this language."""
    return extract(document, rf"^```{language}\n(.*?)^```$", word)


def displayed(document, word):
    """The same of a manual page: what an mdoc display shows."""
    blocks = extract(document, r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", word)
    return [block.replace(r"\e", "\\") for block in blocks]


PYTHON = fenced("README.md", "python") + fenced("protocol/PROTOCOL.md", "python")
SOCAT = fenced("README.md", "sh", "socat") + fenced("protocol/PROTOCOL.md", "sh", "socat")
C_README = fenced("README.md", "c")
C_MANUAL = displayed("doc/libasock.3", "#include <asock.h>")


@pytest.fixture
def daemon(start):
    """A daemon that knows example.org."""
    return start(hosts="127.0.0.1 example.org\n")


def adapt(text, daemon, port):
    """The example as the reader would change it."""
    text = text.replace(SOCKET, str(daemon.socket)).replace('"80"', f'"{port}"')
    return re.sub(r"\b(example\.org|localhost):(80|22)\b", rf"\1:{port}", text)


def run(command, status=0, **keywords):
    """What it says, on both channels."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=60, **keywords)
    assert done.returncode == status, (done.returncode, done.stdout)
    return done.stdout


def test_examples_are_found():
    assert [len(examples) for examples in (PYTHON, SOCAT, C_README, C_MANUAL)] == [2, 2, 1, 2]


@pytest.mark.parametrize("text", PYTHON)
def test_python(daemon, greeter, text):
    output = run([sys.executable, "-c", adapt(text, daemon, greeter.port)])
    assert GREETING.strip() in output or f"('127.0.0.1', {greeter.port})".encode() in output


@pytest.mark.parametrize("text", SOCAT)
def test_socat(daemon, text):
    require_program("socat")
    replies = [json.loads(run(["sh", "-c", adapt(text, daemon, 0)])),
               json.loads(fenced("protocol/PROTOCOL.md", "json")[0])]
    for reply in replies:
        assert reply["parameters"].pop("resolveUsec") >= 0
        reply["parameters"]["endpoints"].sort(key=str)  # the order is the machine's
    assert replies[0] == replies[1]


@pytest.mark.parametrize("text", fenced("protocol/PROTOCOL.md", "json"))
def test_json(text):
    assert json.loads(text).keys() <= {"method", "more", "parameters", "error", "continues"}


@pytest.mark.parametrize("text", [text for text in fenced("protocol/PROTOCOL.md", "json")
                                  if "method" in json.loads(text)])
def test_json_calls_are_described(text):
    interface, name = json.loads(text)["method"].rsplit(".", 1)
    described = Interface((source_dir() / f"protocol/{interface}.varlink").read_text())
    described.check(json.loads(text).get("parameters", {}), described.methods[name][0], name)


class Program:
    """A C example, compiled as somebody else's program and run as an ordinary user."""

    def __init__(self, text, daemon, port):
        makefile = (build_dir() / "Makefile").read_text()
        sanitizers = sorted(set(re.findall(r"-fsanitize=[\w,-]+", makefile)))
        compiler = re.search(r"^CC = (\S+)", makefile, re.MULTILINE)[1]
        require_program(compiler)
        source = daemon.directory / "example.c"
        source.write_text(adapt(text, daemon, port))
        # Where other users can read it: a build directory may be for its owner alone.
        shutil.copy(build_dir() / ".libs" / "libasock.so", daemon.directory / "libasock.so.0")
        self.path = daemon.directory / "example"
        run([compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", *sanitizers, "-I",
             str(source_dir() / "client-lib"), str(source), "-o", str(self.path),
             str(daemon.directory / "libasock.so.0")])
        daemon.socket.chmod(0o666)
        self.environment = {**os.environ, "ASOCKD_SOCKET": str(daemon.socket),
                            "LD_LIBRARY_PATH": str(daemon.directory)}

    def run(self, *arguments, status=0):
        """What it says."""
        user = []
        if os.geteuid() == 0:
            require_program("setpriv")
            user = AS_USER
        return run([*user, str(self.path), *map(str, arguments)], status, env=self.environment)


@pytest.mark.parametrize("text", C_README + C_MANUAL[1:])
def test_c(daemon, greeter, text):
    assert Program(text, daemon, greeter.port).run() == b""
    wait_for(lambda: greeter.accepted == 1, "the connection")


def test_c_says_why(daemon):
    program = Program(C_README[0], daemon, closed_port())
    assert program.run(status=1) == b"no address could be connected\n"


def test_c_with_arguments(daemon, greeter):
    program = Program(C_MANUAL[0], daemon, 0)
    assert program.run("example.org", greeter.port) == b"connected, example.org\n"
    assert b"ECONNREFUSED" in program.run("example.org", closed_port(), status=1)
