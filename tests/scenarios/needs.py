# SPDX-License-Identifier: MIT
"""What a scenario needs and the machine may lack: a skip by name, or a failure with
ASOCKD_REQUIRE_RIG=1."""

import os
import shutil

import pytest


def require(condition, reason):
    """Skips with this reason, or fails where a skip is not accepted."""
    if condition:
        return
    if os.environ.get("ASOCKD_REQUIRE_RIG") == "1":
        pytest.fail(f"ASOCKD_REQUIRE_RIG=1, but: {reason}")
    pytest.skip(reason)


def require_root():
    """For namespaces, mounts and other users."""
    require(os.geteuid() == 0, "needs root (namespaces, mounts, other users)")


def require_program(*names):
    """For programs of other packages."""
    for name in names:
        require(shutil.which(name), f"needs the program {name}")
