# SPDX-License-Identifier: MIT
"""asockd as a system service: installed with make install, started by its socket under a real
systemd as PID 1.

One boot for the whole file, in the client namespace of the rig; tests/systemd/inside.py holds the
checks that run in there, and each is a test here. What needs no boot is tested for everyone.
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from daemon import build_dir, source_dir
from needs import require, require_program, require_root

SYSTEMD = source_dir() / "tests" / "systemd"
CHECKS = re.findall(r"^@check\ndef (\w+)", (SYSTEMD / "inside.py").read_text(), re.MULTILINE)

PREPARE = """\
#!/bin/sh
set -e
make -s -C "$BUILD" install DESTDIR="$ROOT" > "$ROOT/install.log" 2>&1 ||
    { cat "$ROOT/install.log"; exit 1; }
ldconfig -r "$ROOT"
systemd-sysusers --root="$ROOT"
mkdir "$ROOT/scenarios" "$ROOT/etc/systemd/system/asockd.service.d"
cp "$SCENARIOS"/wire.py "$SCENARIOS"/peers.py "$ROOT/scenarios"
# LeakSanitizer needs ptrace, which the filter of the unit does not give.
printf '[Service]\\nEnvironment=ASAN_OPTIONS=detect_leaks=0\\n' \\
    > "$ROOT/etc/systemd/system/asockd.service.d/rig.conf"
echo "$SYSCONFDIR" > "$ROOT/scenarios/sysconfdir"
"""


def make_variable(name):
    """A variable of the built Makefile, references resolved."""
    text = (build_dir() / "Makefile").read_text()

    def value(key):
        found = re.search(rf"^{key} = (.*)$", text, re.MULTILINE)
        return re.sub(r"\$[{(](\w+)[})]", lambda match: value(match[1]), found[1]) if found else ""

    return value(name)


@pytest.fixture(scope="module")
def boot(rig, tmp_path_factory):
    """The results of all checks by name."""
    require_program("systemd-id128", "systemd-sysusers", "unshare", "pivot_root", "make")
    require(os.access("/lib/systemd/systemd", os.X_OK), "needs systemd on this machine")
    require(" cgroup2 " in open("/proc/self/mounts", encoding="utf-8").read(), "needs cgroup2")
    directory = tmp_path_factory.mktemp("systemd")
    prepare = directory / "prepare"
    prepare.write_text(PREPARE)
    prepare.chmod(0o755)
    environment = {**os.environ, "BUILD": str(build_dir()), "SDBOOT_NETNS": rig.client,
                   "SCENARIOS": str(source_dir() / "tests" / "scenarios"), "SDBOOT_SECONDS": "120",
                   "SYSCONFDIR": make_variable("sysconfdir")}
    done = subprocess.run([str(SYSTEMD / "sdboot"), str(prepare), str(SYSTEMD / "inside.py")],
                          capture_output=True, text=True, env=environment, check=False, timeout=180)
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            results[result["check"]] = result["problem"]
    results["whole"] = f"status {done.returncode}\n{done.stdout}{done.stderr}"
    return results


@pytest.mark.parametrize("name", CHECKS)
def test_booted(request, name):
    require_root()
    results = request.getfixturevalue("boot")
    assert name in results, results["whole"]
    assert results[name] is None, results[name]


def test_exposure(tmp_path):
    """systemd's own mark for the sandbox, 0 (tight) to 10; the unit explains the rest."""
    require_program("systemd-analyze")
    unit = tmp_path / "asockd.service"
    shutil.copy(build_dir() / "systemd" / "asockd.service", unit)
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                           str(unit)], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout
    assert "@sbindir@" not in unit.read_text()
