# SPDX-License-Identifier: MIT
"""NSD with a real zone file in the server namespace of the rig; ready when it has answered a
question."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from dnsserver import encode_name
from peers import closed_port
from rig import SERVER4, SERVER6, run

ZONE = """\
$ORIGIN example.test.
$TTL 60
@           SOA   ns hostmaster 1 3600 600 86400 60
@           NS    ns
ns          A     198.18.1.2
dual        A     198.18.16.1
dual        AAAA  2001:db8:0:10::1
v4only      A     198.18.16.4
v6only      AAAA  2001:db8:0:10::6
alias       CNAME hop
hop         CNAME dual
dangling    CNAME nowhere
hole6       A     198.18.16.1
hole6       AAAA  2001:db8:0:11::1
hole4       A     198.18.17.1
hole4       AAAA  2001:db8:0:10::1
hole        A     198.18.17.1
hole        AAAA  2001:db8:0:11::1
refuse6     A     198.18.16.1
refuse6     AAAA  2001:db8:0:12::1
refuse      A     198.18.18.1
refuse      AAAA  2001:db8:0:12::1
unreach     A     198.18.19.1
mixed       A     198.18.19.1
mixed       A     198.18.18.1
mixed       AAAA  2001:db8:0:12::1
private     A     192.168.7.7
text        TXT   "no address here"
www.sub     A     198.18.16.2
$ORIGIN deep.sub.example.test.
www         A     198.18.16.3
"""
# Too much for one UDP answer.
MANY = "".join(f"many.example.test. A 198.18.16.{100 + number}\n" for number in range(120))

CONFIG = """\
server:
{addresses}
 server-count: 1
 username: "{user}"
 database: ""
 zonesdir: "{directory}"
 pidfile: "{directory}/nsd.pid"
 xfrdfile: "{directory}/xfrd.state"
 zonelistfile: "{directory}/zone.list"
 xfrdir: "{directory}"
 logfile: "{directory}/nsd.log"
remote-control:
 control-enable: no
"""
ZONE_CONFIG = """\
zone:
 name: {name}
 zonefile: {name}.zone
"""

# Ends well as soon as a name server answers a question; refused until it listens.
PROBE = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    probe.settimeout(0.2)
    probe.connect((sys.argv[1], int(sys.argv[3])))
    for _ in range(500):
        try:
            probe.send(bytes.fromhex(sys.argv[2]))
            sys.exit(0 if probe.recv(512) else 1)
        except OSError:
            time.sleep(0.02)
sys.exit("no answer")
"""


class Nsd:
    """The name server for example.test. missing.test is configured without a file: SERVFAIL."""

    addresses = (f"{SERVER4}@53", f"{SERVER6}@53")
    zones = {"example.test": ZONE + MANY, "missing.test": None}

    def __init__(self, rig):
        self.inside = rig.inside(rig.server)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asockd-nsd-", dir="/tmp"))
        self.process = None

    def __enter__(self):
        config = CONFIG.format(
            directory=self.directory, user="root" if os.geteuid() == 0 else "",
            addresses="\n".join(f" ip-address: {address}" for address in self.addresses))
        for name, text in self.zones.items():
            config += ZONE_CONFIG.format(name=name)
            if text is not None:
                (self.directory / f"{name}.zone").write_text(text)
        (self.directory / "nsd.conf").write_text(config)
        self.process = subprocess.Popen(
            [*self.inside, "nsd", "-d", "-c", str(self.directory / "nsd.conf")],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        question = bytes.fromhex("123400000001000000000000") + encode_name(next(iter(self.zones)))
        try:
            run(*self.inside, "/usr/bin/python3", "-c", PROBE, *self.addresses[0].split("@")[:1],
                (question + b"\0\6\0\1").hex(), self.addresses[0].split("@")[1])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class LoopbackNsd(Nsd):
    """The same program for zones of the test, on a free port of loopback; needs no root."""

    def __init__(self, zones):  # pylint: disable=super-init-not-called
        self.inside = []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asockd-nsd-", dir="/tmp"))
        self.process = None
        self.zones = zones
        self.address = "127.0.0.1"
        self.port = closed_port()
        self.addresses = (f"{self.address}@{self.port}",)
