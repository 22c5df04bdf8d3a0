#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Starts asockd with built-in defaults and runs tests/bench/connect against it, all on one CPU.

ASOCK_BUILD names the build directory. One CPU, because then nothing is gained or lost by where the
scheduler puts the two processes: the figures are the work that is done.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))

# pylint: disable=wrong-import-position
from daemon import Daemon, tool  # noqa: E402


def main():
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=20000, help="calls of each kind (20000)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with Daemon() as daemon:
        status = subprocess.run([tool("tests/bench/connect"), str(daemon.socket),
                                 str(daemon.process.pid), str(arguments.calls)], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
