# SPDX-License-Identifier: MIT
"""Fixtures of the scenarios, and the one rule about skipping.

ASOCK_BUILD names the build directory. What a scenario needs and the machine lacks is a skip by name
for an ordinary user; with ASOCKD_REQUIRE_RIG=1 it is a failure. Scenarios marked slow run with
ASOCKD_SLOW=1 only.
"""

import contextlib
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

# pylint: disable=wrong-import-position
from daemon import Daemon, build_dir, tool  # noqa: E402
from needs import require_program, require_root  # noqa: E402
from nsd import Nsd  # noqa: E402
from peers import Greeter  # noqa: E402
from racematrix import SCENARIOS  # noqa: E402
from racerig import RaceRig  # noqa: E402
from rig import Rig  # noqa: E402
from upstream import Upstream  # noqa: E402
from wire import Client  # noqa: E402

RIG_PORT = 7000


def pytest_configure(config):
    """Says at once when there is nothing to test."""
    config.addinivalue_line("markers", "slow: takes half a minute or more; needs ASOCKD_SLOW=1")
    if "ASOCK_BUILD" not in os.environ:
        raise pytest.UsageError("ASOCK_BUILD must name the build directory")
    if not build_dir().is_absolute() or not os.access(tool("asockd"), os.X_OK):
        raise pytest.UsageError(f"no asockd in ASOCK_BUILD={build_dir()} (an absolute path)")


def pytest_collection_modifyitems(config, items):
    """Leaves the slow ones out unless they are asked for."""
    if os.environ.get("ASOCKD_SLOW") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def rig():
    """The three namespaces; a greeter listens on RIG_PORT of every server address."""
    require_root()
    require_program("ip", "nft", "nsenter")
    with Rig() as made:
        made.python(made.server, "peers.py", RIG_PORT)
        yield made


@pytest.fixture(scope="session")
def nsd(rig):
    """The real name server of the rig."""
    require_program("nsd")
    with Nsd(rig) as server:
        yield server


@pytest.fixture(scope="session")
def races():
    """The wire on which races are measured."""
    with RaceRig(SCENARIOS) as made:
        yield made


@pytest.fixture
def faults(rig):
    """A function that adds an nftables rule for this test."""
    yield rig.fault
    rig.clear_faults()


@pytest.fixture
def start():
    """A function that starts a daemon; all are stopped, and checked, at the end of the test."""
    daemons = []

    def start_daemon(*arguments, **keywords):
        made = Daemon(*arguments, **keywords)
        daemons.append(made)
        made.start()
        return made

    yield start_daemon
    try:
        for made in daemons:
            if made.process.poll() is None:
                made.stop()
    finally:
        for made in daemons:
            made.remove()


@pytest.fixture
def greeter():
    """A loopback peer that greets and echoes."""
    with Greeter() as made:
        yield made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """What the daemons said goes with the report of a test that fails."""
    report = (yield).get_result()
    if report.failed:
        for made in Daemon.all:
            report.sections.append((f"asockd in {made.directory}", made.stderr()))


def pytest_terminal_summary(terminalreporter):
    """Names every test that was skipped: a skip must not go unnoticed."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        path, name = report.nodeid.split("::", 1)
        terminalreporter.write_line(f"skipped: {os.path.basename(path)}::{name}: {reason}")


@pytest.fixture
def servers():
    """A function that starts scripted servers; each name has one address, 192.0.2.80."""
    with contextlib.ExitStack() as stack:
        def make(count=1):
            made = stack.enter_context(Upstream(count))
            made.answer_all(addresses=["192.0.2.80"])
            return made

        yield make


@pytest.fixture
def connected(start):
    """A function that starts a daemon and answers connections to its public and control socket."""
    with contextlib.ExitStack() as stack:
        def make(lines, **keywords):
            daemon = start(resolve=lines, **keywords)
            return (stack.enter_context(Client(daemon.socket, timeout=40)),
                    stack.enter_context(Client(daemon.control)))

        yield make
