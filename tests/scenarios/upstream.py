# SPDX-License-Identifier: MIT
"""The scripted upstream, tests/scenarios/upstream.c, from Python: several name servers on loopback
with one port, exact in time, whose behaviour is changed while they run.

    with Upstream(2) as upstream:
        upstream.answer_all()
        upstream.manner(0, silent=1)
        daemon = start(resolve=upstream.lines())

Records are (owner, type, data in wire form, ttl); owner "@" is the name asked for. The functions
a(), cname() and so on make one.
"""

import collections
import ipaddress
import struct
import subprocess

from daemon import build_dir
from dnsserver import encode_name
from needs import require

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "DNAME": 39, "HTTPS": 65}
NAMES = {number: name for name, number in TYPES.items()}
TTL = 300

SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
COOKIE_GIVEN, COOKIE_REQUIRED, COOKIE_WRONG = 1, 2, 3

# What is wrong about a datagram or a message that must not be believed; see upstream_reply.h.
FORGERIES = {name: 1 << bit for bit, name in enumerate(
    ("id", "name", "type", "class", "qr", "opcode", "no-question", "port", "garbage", "trailing",
     "empty", "byte", "header", "oversize", "questions", "case"))}
FORGED = {"203.0.113.66", "2001:db8:bad::66"}

# The addresses that answer_all() gives to every name.
EVERY_A, EVERY_AAAA = "192.0.2.1", "2001:db8::1"

# time: microseconds of the monotonic clock; name in lower case; text: as it came.
Question = collections.namedtuple(
    "Question", "time server transport port id type edns cookie name text")


def labels(name):
    """A name in wire form; "@" is the one of the question."""
    return b"\xc0\x0c" if name == "@" else encode_name(name)


def address(text, owner="@", ttl=TTL):
    """An A or AAAA record."""
    parsed = ipaddress.ip_address(text)
    return owner, "A" if parsed.version == 4 else "AAAA", parsed.packed, ttl


def cname(target, owner="@", ttl=TTL):
    """An alias."""
    return owner, "CNAME", encode_name(target), ttl


def dname(target, owner, ttl=TTL):
    """An alias for all that is below."""
    return owner, "DNAME", encode_name(target), ttl


def srv(priority, weight, port, target, owner="@", ttl=TTL):
    """A server of a service; target "." says that there is none."""
    return owner, "SRV", struct.pack("!HHH", priority, weight, port) + encode_name(target), ttl


def ptr(target, owner="@", ttl=TTL):
    """A name of an address; target in text or, for what is no host name, in wire form."""
    data = target if isinstance(target, bytes) else encode_name(target)
    return owner, "PTR", data, ttl


def txt(text, owner="@", ttl=TTL):
    """A text of up to 255 bytes."""
    return owner, "TXT", bytes([len(text)]) + text, ttl


def soa(owner="", ttl=TTL, minimum=TTL):
    """What makes an answer without records one that can be kept."""
    numbers = struct.pack("!IIIII", 1, 3600, 600, 86400, minimum)
    return owner, "SOA", encode_name("ns.test") + encode_name("hostmaster.test") + numbers, ttl


def extended_error(code, text=b""):
    """An EDNS option (RFC 8914)."""
    return struct.pack("!HHH", 15, 2 + len(text), code) + text


def encode(records):
    """COUNT:HEX of a section."""
    data = b"".join(
        labels(owner) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data
        for owner, kind, data, ttl in records)
    return f"{len(records)}:{data.hex()}"


class Upstream:
    """count servers on 127.0.0.11 and so on, or those addresses; all on one port, a free one unless
    given. prefix: a command that runs it elsewhere, as in a namespace."""

    def __init__(self, count=1, addresses=(), prefix=(), port=0):
        self.addresses = list(addresses) or [f"127.0.0.{11 + place}" for place in range(count)]
        self.prefix = list(prefix)
        self.process = None
        self.port = port
        self.seen = []

    def __enter__(self):
        program = build_dir() / "tests/scenarios/upstream"
        require(program.exists(), "needs tests/scenarios/upstream (make scenarios builds it)")
        self.process = subprocess.Popen(
            [*self.prefix, str(program), str(self.port), *self.addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, port = self.process.stdout.readline().split()
        assert word == "ready"
        self.port = int(port)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(10)
        self.process.stdout.close()
        assert status == 0, f"the upstream ended with {status}"

    def servers(self):
        """Each as the configuration and replies write it."""
        return [f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"
                for text in self.addresses]

    def lines(self):
        """Lines of [Resolve]."""
        return [f"Servers={server}" for server in self.servers()]

    def command(self, line):
        """Says one line, answers what came before "ok"."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            answer = self.process.stdout.readline().rstrip("\n")
            if answer == "ok":
                return lines
            assert answer not in ("error", ""), line[:200]
            lines.append(answer)

    @staticmethod
    def words(manner):
        """Keys of a manner. silent: over UDP and TCP."""
        if "silent" in manner:
            manner = {**manner, "mute_udp": manner["silent"], "mute_tcp": manner["silent"]}
            del manner["silent"]
        for key in ("forge", "forge_tcp"):
            if isinstance(manner.get(key), (list, tuple)):
                manner[key] = sum(FORGERIES[name] for name in manner[key])
        return [f"{key.replace('_', '-')}={value}" for key, value in manner.items()]

    def manner(self, server, **manner):
        """Changes how a server behaves; the keys are those of upstream_reply.h."""
        self.command(" ".join(["manner", str(server), *self.words(manner)]))

    def reset(self, server):
        """An answer after 5 ms."""
        self.command(f"reset {server}")

    def rule(self, name, kind="*", answers=(), authority=(), additional=(), options=b"", rcode=0,
             flags=0, server=None, udp_only=False, **manner):
        """A rule before all others. name "*": all; "*.x": those below."""
        words = ["rule", name, str(TYPES.get(kind, kind)), f"an={encode(answers)}",
                 f"ns={encode(authority)}", f"ar={encode(additional)}", f"rcode={rcode}",
                 f"flags={flags}", *self.words(manner)]
        if options:
            words.append(f"options={options.hex()}")
        if server is not None:
            words.append(f"server={server}")
        if udp_only:
            words.append("udp-only=1")
        self.command(" ".join(words))

    def answer_all(self, ttl=TTL, addresses=(EVERY_A, EVERY_AAAA)):
        """Every name has these addresses, and no other records."""
        self.rule("*", "*", authority=[soa()])
        for kind in ("A", "AAAA"):
            found = [record for record in (address(text, ttl=ttl) for text in addresses)
                     if record[1] == kind]
            self.rule("*", kind, found, authority=[] if found else [soa()])

    def close(self, server):
        """Closes the port, UDP and TCP."""
        self.command(f"close {server} udp")
        self.command(f"close {server} tcp")

    def open(self, server):
        """Opens it again."""
        self.command(f"open {server} udp")
        self.command(f"open {server} tcp")

    def log(self):
        """Every question so far, or since forget()."""
        for line in self.command("log"):
            usec, server, transport, port, number, kind, edns, cookie, name = line.split(" ", 8)
            self.seen.append(Question(
                int(usec), int(server), transport, int(port), int(number),
                NAMES.get(int(kind), int(kind)), None if edns == "-" else int(edns),
                None if cookie == "-" else cookie, name.lower(), name))
        return self.seen

    def forget(self):
        """Begins a new log."""
        self.command("log")
        self.seen = []

    def count(self, name=None, kind=None, transport=None, server=None):
        """How many questions were like this."""
        return len([question for question in self.log()
                    if name in (None, question.name) and kind in (None, question.type)
                    and transport in (None, question.transport)
                    and server in (None, question.server)])
