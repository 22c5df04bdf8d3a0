#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What it costs to ask asockd for a name: cached and not, alone and among many, with a large cache
and with idle clients, against an echo of the same bytes, two bare datagrams and what other
resolvers there are.

ASOCK_BUILD names the build directory, in which tests/bench/resolve and tests/scenarios/upstream
have been built. Every figure is the median of some rounds, in each of which everything is measured
in turn; the ratios are medians of the ratios of a round. A single client and its server share one
CPU. As root all of it happens in namespaces of its own, and the peers that need port 53,
resolv.conf or a user can take part. What is missing is left out, and named.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "scenarios"))
os.environ.setdefault("ASOCK_BUILD", str(TOP / "build-check" / "gcc"))

# pylint: disable=wrong-import-position
from daemon import Daemon, tool  # noqa: E402
from others import RESOLVED_EXPECTED, RESOLVED_REQUEST, Others, furnish, go_inside  # noqa: E402
from upstream import EVERY_A, Upstream, address  # noqa: E402
from wire import RESOLVE  # noqa: E402

TTL = 86000
CLIENTS = 32
FILL_CLIENTS = 128
CACHED_NAMES = 1000
IDLE_CLIENTS = 2000
SETTLE_CALLS = 300  # in which the daemon accepts or drops IDLE_CLIENTS, some in each turn
TRACED_CALLS = 2000
FOREVER = 60000

REQUEST = json.dumps({"method": RESOLVE, "parameters": {"host": "@", "service": "443"}},
                     separators=(",", ":"))
CACHED_EXPECTED = "198.18.1"  # what the addresses of cached names begin with

Sample = collections.namedtuple("Sample", "calls seconds p50 p99 cpu")
FIGURES = ("per_second", "p50_us", "p99_us", "server_cpu_us")


@dataclasses.dataclass
class Way:
    """One row. way, target: as tests/bench/resolve has them. pids: the servers. word, first, count:
    the names; without count each is asked once. base: the row that this one is compared with."""

    group: str
    text: str
    way: str
    target: str
    clients: int = 1
    pids: tuple = ()
    word: str = "c"
    count: int = CACHED_NAMES
    request: str = REQUEST
    expect: str = ""
    base: object = None
    idle: int = 0
    first: int = 0
    samples: list = dataclasses.field(default_factory=list)

    def figures(self, sample):
        """Those of one round."""
        return {"per_second": sample.calls / sample.seconds, "p50_us": sample.p50,
                "p99_us": sample.p99, "server_cpu_us": sample.cpu}

    def median(self, figure):
        """Of all rounds."""
        return statistics.median(self.figures(sample)[figure] for sample in self.samples)

    def ratio(self, figure):
        """To the base, in the same rounds."""
        if self.base is None:
            return 1.0
        pairs = [(self.figures(sample)[figure], self.base.figures(base)[figure])
                 for sample, base in zip(self.samples, self.base.samples)]
        ratios = [mine / theirs for mine, theirs in pairs if theirs > 0]
        return statistics.median(ratios) if ratios else 0.0

    def data(self):
        """As an object."""
        return {"group": self.group, "way": self.text, "clients": self.clients,
                "rounds": len(self.samples),
                "against": None if self.base is None else self.base.text,
                **{figure: round(self.median(figure), 2) for figure in FIGURES},
                "ratio": {figure: round(self.ratio(figure), 3) for figure in FIGURES}}


class Program:
    """A program that ends when its input does."""

    def __init__(self, command, environment=None, **more):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})}, **more)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        status = self.process.wait(10)
        self.process.stdout.close()
        assert kind or status == 0, f"{self.process.args[0]} ended with {status}"

    def line(self):
        """What it says next."""
        return self.process.stdout.readline().rstrip("\n")


class Load(Program):
    """tests/bench/resolve load."""

    def __init__(self, libraries):
        path = ":".join([*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")]).strip(":")
        super().__init__([tool("tests/bench/resolve"), "load"],
                         {"LD_LIBRARY_PATH": path} if path else None)

    def command(self, text):
        """The words behind "ok", or None."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.line()
        assert answer, f"the load program gave up at: {text}"
        return answer.split()[1:] if answer.startswith("ok") else None

    def run(self, way, msec, calls=1000000):
        """Asks, and answers what it took."""
        self.command(f"request {way.request}")
        self.command(f"expect {way.expect}")
        before = cpu_ns(way.pids)
        n, nsec, p50, p99 = map(int, self.command(
            f"run {way.way} {way.clients} {calls} {msec} {way.word} {way.first} {way.count} "
            f"{way.target}"))
        if way.count == 0:
            way.first += n
        return Sample(n, nsec / 1e9, p50 / 1e3, p99 / 1e3,
                      (cpu_ns(way.pids) - before) / 1e3 / n)


def cpu_ns(pids):
    """Time on a CPU so far."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def pin(pids, cpus):
    """Where they may run."""
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task), cpus)


def resident(pid):
    """Bytes of memory."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s*(\d+) kB", text, re.MULTILINE)[1]) * 1024


def first_reply(path):
    """The bytes of asockd's reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(REQUEST.replace("@", "c0000000.bench.test").encode() + b"\0")
        reply = b""
        while not reply.endswith(b"\0"):
            reply += client.recv(65536)
    assert CACHED_EXPECTED.encode() in reply and b"2001:db8:1::1000" in reply, reply
    return reply


def give_addresses(upstream):
    """Each cached name has its own: what is remembered of an address is not of use for all."""
    upstream.manner(0, delay=0)
    for place in range(CACHED_NAMES):
        name = f"c{place:07}.bench.test"
        for text in (f"198.18.{100 + place // 100}.{100 + place % 100}",
                     f"2001:db8:1::{1000 + place}"):
            record = address(text, ttl=TTL)
            upstream.rule(name, record[1], [record])


class Bench:
    """The servers, and what is measured with them."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.stack = contextlib.ExitStack()
        self.left_out = []
        self.ways = []
        self.memory = []
        self.counts = []
        self.cpus = os.sched_getaffinity(0)
        self.peers = pathlib.Path(arguments.peers).resolve() if arguments.peers else None
        self.load = None
        self.directory = None
        self.upstream = None
        self.many = None  # the same for the names of which each has its own addresses
        self.others = None
        self.names = 10000 if arguments.quick else 100000

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix="asockbench-", dir="/tmp")))
            self.directory.chmod(0o755)
            furnish(self.directory)
            libraries = [self.peers / "usr/lib" / f"{os.uname().machine}-linux-gnu"] \
                if self.peers else []
            self.load = stack.enter_context(Load(libraries))
            self.upstream = stack.enter_context(Upstream(1))
            self.upstream.answer_all(ttl=TTL)
            self.upstream.manner(0, delay=0)
            self.many = stack.enter_context(Upstream(addresses=["127.0.0.12"]))
            give_addresses(self.many)
            self.stack = stack.pop_all()
        self.others = Others(self.peers, self.directory, self.upstream, self.stack, self.left_out)
        return self

    def __exit__(self, *details):
        return self.stack.__exit__(*details)

    def daemon(self, upstream=None, cache_kib=None):
        """asockd that asks the upstream."""
        lines = (upstream or self.upstream).lines()
        if cache_kib is not None:
            lines.append(f"CacheSizeKiB={cache_kib}")
        return self.stack.enter_context(Daemon(
            resolve=lines, config="[Limits]\nConnectionsPerUid=4000"))

    # ---- what is measured ----

    def add(self, *words, **more):
        """A row."""
        way = Way(*words, **more)
        self.ways.append(way)
        return way

    def prepare(self):
        """Starts everything and makes the rows."""
        cached, fresh, small = self.daemon(self.many), self.daemon(), self.daemon()
        large = self.daemon(cache_kib=1024 * 1024)
        ares = self.load.command("ares ")
        if ares is None:
            self.left_out.append("c-ares: no libcares.so.2")
        unbound = self.others.start_unbound()
        if unbound and not self.others.inside:
            self.left_out.append("getaddrinfo through Unbound: needs root")
        resolved = self.others.start_resolved()
        reply = self.directory / "reply"
        reply.write_bytes(first_reply(cached.socket))
        echo_path = self.directory / "echo.sock"
        echo = self.stack.enter_context(Program(
            [tool("tests/bench/resolve"), "echo", str(echo_path), str(reply)]))
        assert echo.line() == "ready"
        target = f"{self.upstream.addresses[0]}:{self.upstream.port}"
        server = self.upstream.process.pid
        through = unbound and self.others.inside
        for clients in (1, CLIENTS):
            group = f"cached, {clients_text(clients)}"
            base = self.add(group, "echo of the same bytes", "stream", str(echo_path), clients,
                            (echo.process.pid,))
            self.add(group, "asockd", "stream", str(cached.socket), clients, (cached.pid,),
                     base=base)
            if unbound:
                self.add(group, "two datagrams, Unbound", "datagrams", self.others.unbound,
                         clients, (unbound,), base=base)
            if through:
                self.add(group, "getaddrinfo, Unbound", "getaddrinfo", "-", clients, (unbound,),
                         base=base)
            if resolved:
                self.add(group, "systemd-resolved, varlink", "stream", resolved[1], clients,
                         (resolved[0],), base=base, request=RESOLVED_REQUEST,
                         expect=RESOLVED_EXPECTED)
        for clients in (1, CLIENTS):
            group, word = f"not cached, {clients_text(clients)}", f"u{clients}"
            once = {"clients": clients, "count": 0}
            base = self.add(group, "two datagrams, the upstream", "datagrams", target,
                            pids=(server,), word=word + "d", **once)
            once["base"] = base
            self.add(group, "asockd", "stream", str(fresh.socket), pids=(fresh.pid,),
                     word=word + "a", **once)
            if ares:
                self.add(group, f"c-ares {ares[0]}", "ares", target, word=word + "c", **once)
            if through:
                self.add(group, "getaddrinfo, Unbound", "getaddrinfo", "-", pids=(unbound,),
                         word=word + "g", **once)
            if resolved:
                self.add(group, "systemd-resolved, varlink", "stream", resolved[1],
                         pids=(resolved[0],), word=word + "r", request=RESOLVED_REQUEST,
                         expect=RESOLVED_EXPECTED, **once)
        for clients in (1, CLIENTS):
            group = f"one address for all, {clients_text(clients)}"
            base = self.add(group, f"asockd, {CACHED_NAMES} names", "stream", str(small.socket),
                            clients, (small.pid,), word="m")
            self.add(group, f"asockd, {self.names} names", "stream", str(large.socket), clients,
                     (large.pid,), word="m", count=self.names, base=base)
            self.add(group, f"the first with {IDLE_CLIENTS} idle clients", "stream", base.target,
                     clients, base.pids, word="m", base=base, idle=IDLE_CLIENTS)
        self.fill(Way("", "asockd", "stream", str(large.socket), pids=(large.pid,), word="m"))
        if unbound:
            self.fill(Way("", "Unbound", "datagrams", self.others.unbound, pids=(unbound,),
                          word="m"))
        return cached

    def fill(self, way):
        """Asks for many names once each, and says what it costs to keep them."""
        way.clients, way.count = FILL_CLIENTS, 0
        before, begin = resident(way.pids[0]), time.monotonic()
        sample = self.load.run(way, FOREVER, self.names)
        assert sample.calls == self.names, f"{sample.calls} names in {FOREVER} ms"
        self.memory.append({"cache": way.text, "names": self.names,
                            "bytes_per_name": round((resident(way.pids[0]) - before) / self.names),
                            "seconds": round(time.monotonic() - begin, 2)})
        self.upstream.forget()

    def warm_up(self):
        """Every cached name is there before time counts."""
        targets = set()
        for way in self.ways:
            if way.word == "c" and (way.way, way.target) not in targets:
                targets.add((way.way, way.target))
                self.load.run(dataclasses.replace(way, clients=8, count=0, idle=0), FOREVER,
                              CACHED_NAMES)

    def measure(self, way, msec):
        """One sample of one row."""
        cpus = {min(self.cpus)} if way.clients == 1 else self.cpus
        pin([*way.pids, self.load.process.pid], cpus)
        if way.idle:
            self.set_idle(way, way.idle)
        way.samples.append(self.load.run(way, msec))
        if way.idle:
            self.set_idle(way, 0)

    def set_idle(self, way, number):
        """So many more clients; the daemon has noticed when this returns."""
        self.load.command(f"idle {number} {way.target}")
        self.load.run(way, FOREVER, SETTLE_CALLS)

    def run(self):
        """All rounds; the second goes backwards, and so on."""
        cached = self.prepare()
        self.warm_up()
        rounds, msec = self.arguments.rounds, self.arguments.msec
        for turn in range(rounds):
            for way in self.ways if turn % 2 == 0 else reversed(self.ways):
                self.measure(way, msec)
            self.upstream.forget()
        self.count_questions()
        self.count_calls(cached)
        if not self.arguments.quick:
            self.count_instructions()

    def count_questions(self):
        """Questions that reach the upstream for each uncached call."""
        for way in self.ways:
            if way.text == "asockd" and way.group.startswith("not cached"):
                self.upstream.forget()
                sample = self.load.run(way, 500, 500)
                self.counts.append({"what": f"questions upstream for a call, {way.group}",
                                    "value": round(len(self.upstream.log()) / sample.calls, 3)})

    def traced(self, daemon):
        """A row to count with."""
        return Way("", "asockd", "stream", str(daemon.socket), pids=(daemon.pid,))

    def count_calls(self, daemon):
        """System calls of the daemon for each cached call."""
        if not shutil.which("strace"):
            self.left_out.append("system calls: no program strace")
            return
        report = self.directory / "strace"
        with subprocess.Popen(["strace", "-c", "-f", "-o", str(report), "-p", str(daemon.pid)],
                              stderr=subprocess.PIPE, text=True) as strace:
            try:
                attached = "attached" in strace.stderr.readline()
                sample = self.load.run(self.traced(daemon), FOREVER, TRACED_CALLS)
            finally:
                strace.send_signal(signal.SIGINT)
                strace.wait(10)
        if not attached:
            self.left_out.append("system calls: strace may not trace here")
            return
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_0-9]+)$",
                          report.read_text(), re.MULTILINE)
        calls = {name: int(number) / sample.calls for number, name in rows if name != "total"}
        calls = {name: number for name, number in calls.items() if number >= 0.05}
        self.counts.append({"what": "system calls for a cached call",
                            "value": round(sum(calls.values()), 2),
                            "calls": {name: round(number, 2) for name, number in calls.items()}})

    def count_instructions(self):
        """Instructions in user space for each cached call."""
        if not shutil.which("valgrind"):
            self.left_out.append("instructions: no program valgrind")
            return
        totals = []
        for calls in (1000, 3000):
            out = self.directory / f"callgrind.{calls}"
            with Daemon(resolve=self.many.lines(), prefix=(
                    "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}")) as daemon:
                way = self.traced(daemon)
                way.count = 10
                self.load.run(way, FOREVER, calls)
            totals.append(int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(),
                                        re.MULTILINE)[1]))
        self.counts.append({"what": "instructions for a cached call (callgrind)",
                            "value": round((totals[1] - totals[0]) / 2000)})

    # ---- what is said ----

    def data(self):
        """Everything as an object."""
        return {"rounds": self.arguments.rounds, "milliseconds": self.arguments.msec,
                "cpus": len(self.cpus), "kernel": os.uname().release,
                "rows": [way.data() for way in self.ways], "memory": self.memory,
                "counts": self.counts, "left_out": self.left_out}

    def print_table(self):
        """The same to read."""
        line = "{:34} {:>9} {:>9} {:>9} {:>8}  {:>6} {:>6} {:>6} {:>6}"
        group = None
        for way in self.ways:
            if way.group != group:
                group = way.group
                print(("\n" if way is not self.ways[0] else "") + line.format(
                    group, "calls/s", "p50 us", "p99 us", "CPU us", "/s", "p50", "p99", "CPU"))
            cpu = way.median("server_cpu_us")
            print(line.format(
                "  " + way.text, f"{way.median('per_second'):.0f}",
                *(f"{way.median(figure):.1f}" for figure in ("p50_us", "p99_us")),
                f"{cpu:.1f}" if cpu else "-",
                *("-" if figure == "server_cpu_us" and not cpu else f"{way.ratio(figure):.2f}"
                  for figure in FIGURES)))
        print()
        base = self.memory[0]["bytes_per_name"]
        for row in self.memory:
            print(f"{row['cache']}: {row['bytes_per_name']} bytes of resident memory for a name, "
                  f"A and AAAA, at {row['names']} names ({row['bytes_per_name'] / base:.2f}); "
                  f"filled in {row['seconds']:.1f} s")
        for row in self.counts:
            detail = ", ".join(f"{name} {number}" for name, number in row.get("calls", {}).items())
            print(f"{row['what']}: {row['value']}" + (f" ({detail})" if detail else ""))
        for text in self.left_out:
            print(f"left out: {text}")


def clients_text(number):
    """How many at a time."""
    return f"{number} client" + ("s" if number > 1 else "")


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="seconds, not a minute; 10000 names")
    parser.add_argument("--json", action="store_true", help="an object instead of the table")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each row (5)")
    parser.add_argument("--msec", type=int, help="of each sample (120, quick: 40)")
    parser.add_argument("--peers", help="a folder in which packages of peers have been unpacked")
    arguments = parser.parse_args()
    arguments.msec = arguments.msec or (40 if arguments.quick else 120)
    go_inside()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 16384 and hard > 0 else 16384, hard))
    with Bench(arguments) as bench:
        bench.run()
        if arguments.json:
            print(json.dumps(bench.data()))
        else:
            bench.print_table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
