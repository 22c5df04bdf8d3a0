# SPDX-License-Identifier: MIT
"""The order of addresses, compared with the C library's getaddrinfo over many made-up hosts.

A network namespace has interfaces (two of them tunnels), addresses (some deprecated, some home
addresses) and routes, all by chance from a seed; asockd and a program that calls getaddrinfo look
the same names up in it, each in a hosts file of its own. No packet leaves: sorting only asks the
kernel for routes and sources. ADDRSORT_SEED=N begins with another seed.

asockd lets the families alternate behind the sort, so what is compared is the order inside each
family, pair by pair, and which family comes first. It is meant to differ in these, each of which
has a test of its own:

 * Its built-in policy table is that of RFC 6724, the C library's that of RFC 3484. The comparison
   gives the C library RFC 6724's in gai.conf.
 * Rule 9 compares no further than the source's network. The C library goes on into the host part,
   for IPv6 always, for IPv4 inside the own network. Such pairs are left out.
 * Where a table makes both families equal, IPv6 begins. The C library leaves that to the order of
   the answer, and with rule 9 that order can go round in a circle. The tables here have no such
   rows.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import random
import socket
import struct
import sys

import pytest

from daemon import StartFailed, wait_for
from needs import require, require_program, require_root
from rig import Rig, run
from wire import RESOLVE, Client

TOPOLOGIES = 15
HOSTS = 40
TUNSETIFF = 0x400454ca
TUNSETLINK = 0x400454cd
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
ARPHRD_SIT = 776
ARPHRD_TUNNEL6 = 769
DEVICES = ("wire0", "wire1", "sit0", "six0")

RFC_6724 = """
label ::1/128 0
label ::/0 1
label ::ffff:0:0/96 4
label 2002::/16 2
label 2001::/32 5
label fc00::/7 13
label ::/96 3
label fec0::/10 11
label 3ffe::/16 12
precedence ::1/128 50
precedence ::/0 40
precedence ::ffff:0:0/96 35
precedence 2002::/16 30
precedence 2001::/32 5
precedence fc00::/7 3
precedence ::/96 1
precedence fec0::/10 1
precedence 3ffe::/16 1
"""

# Prints what getaddrinfo says for each name, and the source of each address.
ASK_LIBC = r"""
import ipaddress, json, socket, sys

def order(name):
    infos = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    return [str(ipaddress.ip_address(info[4][0])) for info in infos]

def source(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 80))
        except OSError:
            return None
        return str(ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]))

orders = {name: order(name) for name in json.load(sys.stdin)}
sources = {address: source(address) for found in orders.values() for address in found}
print(json.dumps([orders, sources]))
"""


class Place:
    """A namespace with interfaces, a daemon in it, and files for the C library."""

    def __init__(self, start, directory):
        self.name = f"asock{os.getpid()}-o"
        self.start = start
        self.directory = directory
        self.tunnels = []
        self.client = None
        self.daemon = None

    def up(self):
        """Makes the namespace and its interfaces, without addresses."""
        run("ip", "netns", "add", self.name)
        run(*Rig.inside(self.name), "sh", "-ec", """
            cd /proc/sys/net/ipv6/conf/default
            echo 0 > dad_transmits; echo 0 > accept_dad; echo 0 > accept_ra""")
        Rig.ip(self.name, "link set lo up")
        for wire in DEVICES[:2]:
            Rig.ip(self.name, f"link add {wire} type veth peer name {wire}-end",
                   f"link set {wire}-end up")
        self.add_tunnel("sit0", ARPHRD_SIT)
        self.add_tunnel("six0", ARPHRD_TUNNEL6)

    def add_tunnel(self, name, kind):
        """A tun interface that says it is of this kind: the modules of real ones may be missing."""
        with Rig.entered(self.name):
            tunnel = os.open("/dev/net/tun", os.O_RDWR)
            self.tunnels.append(tunnel)
            fcntl.ioctl(tunnel, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                       IFF_TUN | IFF_NO_PI))
            fcntl.ioctl(tunnel, TUNSETLINK, kind)

    def down(self):
        """Removes it, whatever happened."""
        if self.client:
            self.client.close()
        for tunnel in self.tunnels:
            os.close(tunnel)
        with contextlib.suppress(AssertionError):
            run("ip", "netns", "del", self.name)

    def serve(self, config=""):
        """Starts the daemon."""
        self.daemon = self.start(config, prefix=Rig.inside(self.name))
        with Rig.entered(self.name):
            self.client = Client(self.daemon.socket, timeout=20)

    def arrange(self, addresses, routes):
        """Gives the interfaces these addresses and routes and takes all others away."""
        for device in DEVICES:
            Rig.ip(self.name, f"link set {device} down", f"addr flush dev {device}",
                   f"link set {device} up")
        Rig.ip(self.name, *addresses)
        # A route cannot have a new address as its source before the kernel has looked for
        # duplicates, nodad or not.
        wait_for(lambda: not self.list_addresses("tentative"), "addresses that can be used")
        Rig.ip(self.name, *routes)

    def list_addresses(self, *options):
        """What ip(8) says of the own addresses."""
        listing = run("ip", "-n", self.name, "-j", "addr", "show", *options)
        return [item for interface in json.loads(listing) if interface
                for item in interface["addr_info"]]

    def own_networks(self):
        """Each own address with the length of its prefix."""
        return {str(ipaddress.ip_address(item["local"])): item["prefixlen"]
                for item in self.list_addresses()}

    def ask_libc(self, hosts, gai_conf):
        """(order of each name, source of each address) by getaddrinfo and the kernel."""
        files = {"hosts": hosts_file(hosts), "nsswitch.conf": "hosts: files\n",
                 "gai.conf": gai_conf, "host.conf": "multi on\n"}
        mounts = []
        for name, text in files.items():
            (self.directory / name).write_text(text)
            mounts.append(f"mount --bind {self.directory}/{name} /etc/{name}")
        answer = run(*Rig.inside(self.name), "unshare", "--mount", "sh", "-ec",
                     "\n".join([*mounts, 'exec "$@"']), "sh", sys.executable, "-c", ASK_LIBC,
                     text=json.dumps(list(hosts)))
        return json.loads(answer)

    def ask_daemon(self, hosts):
        """The order of each name by asockd."""
        self.daemon.hosts_file.write_text(hosts_file(hosts))
        orders = {}
        for name in hosts:
            reply = self.client.call(RESOLVE, host=name, service="80")
            assert reply["source"] == "hosts"
            orders[name] = [str(ipaddress.ip_address(endpoint["address"]))
                            for endpoint in reply["endpoints"]]
        return orders


@pytest.fixture
def place(start, tmp_path):
    """The namespace, without a daemon yet; gone when the daemon ends, and so is its client."""
    require_root()
    require_program("ip", "nsenter", "unshare", "mount")
    require(os.path.exists("/dev/net/tun"), "needs /dev/net/tun")
    for name in ("hosts", "nsswitch.conf", "gai.conf", "host.conf"):
        require(os.path.exists(f"/etc/{name}"), f"needs a file /etc/{name} to hide")
    made = Place(start, tmp_path)
    try:
        made.up()
        yield made
    finally:
        made.down()


def hosts_file(hosts):
    """The text of a hosts file."""
    return "".join(f"{address} {name}\n" for name, found in hosts.items() for address in found)


def family_of(address):
    """4 or 6."""
    return 6 if ":" in address else 4


def common_len(one, other):
    """How many leading bits are the same."""
    one, other = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return one.max_prefixlen - (int(one) ^ int(other)).bit_length()


class Lengths:
    """What rule 9 compares for an address: asockd's way and the C library's."""

    def __init__(self, sources, networks):
        self.sources = sources
        self.networks = networks

    def of(self, address):
        """(asockd's, the C library's)"""
        source = self.sources[address]
        if source is None:
            return 0, 0
        full = common_len(address, source)
        is_loopback = source.startswith("127.")
        network = self.networks.get("127.0.0.1" if is_loopback else source, 0)
        if family_of(address) == 4:
            return (network, full) if network > 0 and full >= network else (0, 0)
        cap = network if 0 < network < 128 else 64
        return min(full, cap), full

    def is_meant_to_differ(self, one, other):
        """Whether rule 9 says another thing about these two in the C library."""
        ours, theirs = zip(self.of(one), self.of(other))

        def sign(pair):
            return (pair[0] > pair[1]) - (pair[0] < pair[1])

        return sign(ours) != sign(theirs)


class Comparison:
    """Counts what was compared, and collects what differs."""

    def __init__(self):
        self.pairs = self.left_out = self.firsts = 0
        self.differences = []

    def add(self, ours, theirs, lengths, where):
        """The two orders of one host."""
        assert sorted(ours) == sorted(theirs), f"{where}: {ours} {theirs}"
        for family in (4, 6):
            mine = [address for address in ours if family_of(address) == family]
            place = {address: i for i, address in enumerate(theirs)}
            for i, one in enumerate(mine):
                for other in mine[i + 1:]:
                    self.add_pair(one, other, place[one] < place[other], lengths, where)
        if len({family_of(address) for address in ours}) == 2:
            self.firsts += 1
            if family_of(ours[0]) != family_of(theirs[0]):
                self.differences.append(f"{where}: first family: {ours} {theirs}")

    def add_pair(self, one, other, is_same, lengths, where):
        """Two addresses of one family, in asockd's order."""
        if lengths.is_meant_to_differ(one, other):
            self.left_out += 1
            return
        self.pairs += 1
        if not is_same:
            sources = lengths.sources
            self.differences.append(f"{where}: asockd has {one} (from {sources[one]}) before "
                                    f"{other} (from {sources[other]})")

    def check(self):
        """Enough was compared, and all of it is the same."""
        assert not self.differences, "\n".join(self.differences[:20])
        assert self.pairs > 4 * self.left_out > 0
        assert self.firsts > 100


class Chance:
    """Addresses, routes and hosts from a seed."""

    OWN6 = ("2001:db8:1::/48", "2001:db8:2::/48", "fd00:1::/48", "2002:c633:6401::/48",
            "2001:0:1::/48", "fec0:0:1::/48", "3ffe:1::/48")
    OWN4 = ("10.1.0.0/16", "192.168.0.0/16", "198.51.100.0/24", "169.254.0.0/16", "100.64.0.0/16")
    FAR6 = ("2001:db8:8000::/36", "2001:db8:100::/40", "2001:db9::/32", "2a00::/16", "fd00:2::/32",
            "2002:cb00::/24", "2001:0:8000::/36", "fec0:0:8000::/36", "3ffe:8000::/20", "::/96")
    FAR4 = ("10.2.0.0/16", "203.0.113.0/24", "192.0.2.0/24", "172.16.0.0/12", "8.0.0.0/7",
            "198.18.0.0/15")

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.own = []

    def inside(self, network, prefixes=None):
        """An address of a network; with prefixes also one of these lengths."""
        network = ipaddress.ip_network(network)
        last = max(network.num_addresses - 2, 0)
        if self.random.random() < 0.5:
            # Near the beginning, so that some share more bits than others.
            last = min(last, 1 << self.random.randrange(3, 90))
        address = str(network[self.random.randint(min(1, last), last)])
        return f"{address}/{self.random.choice(prefixes)}" if prefixes else address

    def make_addresses(self):
        """Lines of ip(8); self.own gets the addresses."""
        chosen = [self.inside(network, (48, 56, 64, 64, 64, 80, 112, 128)) for network in
                  self.random.sample(self.OWN6, self.random.randint(2, 5))]
        chosen += [self.inside(network, (8, 16, 20, 24, 28, 32)) for network in
                   self.random.sample(self.OWN4, self.random.randint(1, 4))]
        lines = []
        for text in chosen:
            options = ["nodad"] if ":" in text else []
            if self.random.random() < 0.25:
                options += ["preferred_lft", "0", "valid_lft", "forever"]
            if ":" in text and self.random.random() < 0.2:
                options.append("home")
            lines.append(f"addr add {text} dev {self.random.choice(DEVICES)} {' '.join(options)}")
        self.own = chosen
        return lines

    def make_routes(self):
        """Lines of ip(8): far networks over some interface from some own address, or nowhere."""
        lines = []
        for network in self.FAR6 + self.FAR4:
            sources = [text.partition("/")[0] for text in self.own
                       if (":" in text) == (":" in network)]
            if self.random.random() < 0.15 or not sources:
                continue
            lines.append(f"route add {network} dev {self.random.choice(DEVICES)} "
                         f"src {self.random.choice(sources)}")
        return lines

    def make_host(self):
        """Some addresses, each once, in an order by chance."""
        near = [str(ipaddress.ip_interface(text).network) for text in self.own]
        found = []
        for _ in range(self.random.randint(2, 9)):
            kind = self.random.random()
            if kind < 0.15:
                found.append(self.inside(self.random.choice(near)))
            elif kind < 0.25:
                found.append(self.random.choice(
                    ("::1", "127.0.0.1", "127.0.0.9", "fe80::7", "169.254.7.7", "ff0e::1")))
            elif kind < 0.7:
                found.append(self.inside(self.random.choice(self.FAR6)))
            else:
                found.append(self.inside(self.random.choice(self.FAR4)))
        return list(dict.fromkeys(found))


def compare(place, chance, gai_conf, comparison, where):
    """One arrangement, many hosts."""
    place.arrange(chance.make_addresses(), chance.make_routes())
    hosts = {f"h{i}.test": chance.make_host() for i in range(HOSTS)}
    ours = place.ask_daemon(hosts)
    theirs, sources = place.ask_libc(hosts, gai_conf)
    lengths = Lengths(sources, place.own_networks())
    for name in hosts:
        comparison.add(ours[name], theirs[name], lengths, f"{where} {name}")


def first_seed():
    """Where the made-up arrangements begin."""
    return int(os.environ.get("ADDRSORT_SEED", "1"))


def test_the_order_is_that_of_the_c_library(place):
    place.serve()
    comparison = Comparison()
    for seed in range(first_seed(), first_seed() + TOPOLOGIES):
        compare(place, Chance(seed), RFC_6724, comparison, f"seed {seed}")
    comparison.check()


def make_table(chance):
    """A gai.conf by chance, in which no IPv4 precedence is that of an IPv6 one. Both have lines
    of labels and precedences: the built-in ones differ."""
    some = chance.random
    if some.random() < 0.8:
        lines = [f"label {network} {some.randint(0, 4)}"
                 for network in some.sample(chance.FAR6 + chance.OWN6, 8)]
    else:
        lines = [line for line in RFC_6724.split("\n") if line.startswith("label ")]
    if some.random() < 0.8:
        lines += [f"precedence {network} {2 * some.randint(0, 30)}"
                  for network in some.sample(chance.FAR6 + chance.OWN6, 6)]
    lines.append(f"precedence ::ffff:0:0/96 {2 * some.randint(0, 60) + 1}")
    if some.random() < 0.5:
        lines += [f"precedence ::ffff:10.0.0.0/104 {2 * some.randint(0, 60) + 1}"]
    if some.random() < 0.5:
        lines += [f"scopev4 ::ffff:{network.partition('/')[0]}/112 {some.choice((2, 5, 8, 14))}"
                  for network in some.sample(chance.FAR4 + chance.OWN4, 4)]
    some.shuffle(lines)
    return "\n".join(lines) + "\n"


def test_both_read_the_same_table_from_gai_conf(place, tmp_path):
    table = tmp_path / "table"
    table.write_text("")
    try:
        place.serve(f"[Connect]\nGaiConf={table}\n")
    except StartFailed as failure:
        if "GaiConf" not in failure.stderr:
            raise
        pytest.skip("this asockd has no key GaiConf=")
    comparison = Comparison()
    for seed in range(first_seed() + 1000, first_seed() + 1000 + TOPOLOGIES):
        chance = Chance(seed)
        text = make_table(chance)
        table.write_text(text)
        compare(place, chance, text, comparison, f"seed {seed}")
    comparison.check()


# What is meant to differ


def arrange_plainly(place):
    """A global, a unique local and an IPv4 address, each in a network of its own."""
    place.serve()
    place.arrange(["addr add 2001:db8:1::9/64 dev wire0 nodad",
                   "addr add fd00:1::9/64 dev wire0 nodad",
                   "addr add 192.168.0.9/24 dev wire0"],
                  ["route add fd00:2::/32 dev wire0 src fd00:1::9",
                   "route add 203.0.113.0/24 dev wire0 src 192.168.0.9"])


def ask_both(place, addresses, gai_conf=RFC_6724):
    """One host's order by asockd and by the C library."""
    hosts = {"one.test": addresses}
    ours = place.ask_daemon(hosts)["one.test"]
    return ours, place.ask_libc(hosts, gai_conf)[0]["one.test"]


def test_the_built_in_tables_differ(place):
    arrange_plainly(place)
    local_first = ["fd00:2::1", "203.0.113.1"]
    assert ask_both(place, local_first, "") == (local_first[::-1], local_first)
    assert ask_both(place, local_first) == (local_first[::-1], local_first[::-1])


def test_rule_9_ends_with_the_sources_network(place):
    arrange_plainly(place)
    near_last = ["2001:db8:1:0:8000::1", "2001:db8:1::8"]
    assert ask_both(place, near_last) == (near_last, near_last[::-1])
    near_last = ["192.168.0.200", "192.168.0.8"]
    assert ask_both(place, near_last) == (near_last, near_last[::-1])
    # The network itself counts for both.
    own_last = ["203.0.113.1", "192.168.0.200"]
    assert ask_both(place, own_last) == (own_last[::-1], own_last[::-1])


# What the comparison rests on: that these were there at all


@pytest.mark.parametrize("better, worse", [
    ("addr add 2001:db8:1::9/64 dev wire0 nodad",
     "addr add 2001:db8:2::9/64 dev wire0 nodad preferred_lft 0 valid_lft forever"),
    ("addr add 2001:db8:1::9/64 dev wire0 nodad home", "addr add 2001:db8:2::9/64 dev wire0 nodad"),
    ("addr add 2001:db8:1::9/64 dev wire0 nodad", "addr add 2001:db8:2::9/64 dev sit0 nodad"),
    ("addr add 2001:db8:1::9/64 dev wire1 nodad", "addr add 2001:db8:2::9/64 dev six0 nodad"),
    ("addr add 10.1.0.9/24 dev wire0",
     "addr add 10.2.0.9/24 dev wire0 preferred_lft 0 valid_lft forever"),
    ("addr add 10.1.0.9/24 dev wire0", "addr add 10.2.0.9/24 dev sit0"),
], ids=["deprecated", "home", "sit", "tunnel6", "deprecated4", "sit4"])
def test_flags_of_the_source_decide(place, better, worse):
    place.serve()
    sources = [line.split()[2].partition("/")[0] for line in (better, worse)]
    if ":" in sources[0]:
        networks, hosts = ("2001:db8:8000::/48", "2001:db8:9000::/48"), ["2001:db8:9000::1",
                                                                         "2001:db8:8000::1"]
    else:
        networks, hosts = ("203.0.113.0/24", "192.0.2.0/24"), ["192.0.2.1", "203.0.113.1"]
    place.arrange([better, worse],
                  [f"route add {network} dev wire0 src {source}"
                   for network, source in zip(networks, sources)])
    assert ask_both(place, hosts) == (hosts[::-1], hosts[::-1])
    # And when the two change places, so does the order.
    place.arrange([better, worse],
                  [f"route add {network} dev wire0 src {source}"
                   for network, source in zip(networks, reversed(sources))])
    assert ask_both(place, hosts[::-1]) == (hosts, hosts)


def test_a_change_shows_at_the_next_call(place):
    place.serve()
    hosts = ["2001:db8:9000::1", "2001:db8:8000::1"]
    address = "2001:db8:1::9/64 dev wire0"
    place.arrange([f"addr add {address} nodad", "addr add 2001:db8:2::9/64 dev wire0 nodad"],
                  ["route add 2001:db8:9000::/48 dev wire0 src 2001:db8:1::9",
                   "route add 2001:db8:8000::/48 dev wire0 src 2001:db8:2::9"])
    assert ask_both(place, hosts) == (hosts, hosts)
    Rig.ip(place.name, f"addr change {address} preferred_lft 0 valid_lft forever")
    assert ask_both(place, hosts) == (hosts[::-1], hosts[::-1])
    Rig.ip(place.name, f"addr change {address} preferred_lft forever valid_lft forever")
    assert ask_both(place, hosts) == (hosts, hosts)
