# SPDX-License-Identifier: MIT
"""A small internet of three network namespaces: client (the daemon) -- router (the faults) --
server (what is reached).

Every address of 198.18.16.0/20 and of 2001:db8:0:10::/60 is the server's own. The third octet, or
the fourth group, says what the router does to it; see FAULTS. The names of the namespaces carry the
process id, so that several runs do not meet; down() removes them whatever happened before.
"""

import contextlib
import ctypes
import os
import subprocess
import sys

# In IPv6 an attempt is refused without delay only by a reset: an ICMPv6 error that comes back
# faster than connect() returns is lost.
FAULTS = """
table inet rig {
    chain faults {
        type filter hook forward priority 0; policy accept;
        ip daddr 198.18.17.0/24 drop
        ip6 daddr 2001:db8:0:11::/64 drop
        ip daddr 198.18.18.0/24 meta l4proto tcp reject with tcp reset
        ip6 daddr 2001:db8:0:12::/64 meta l4proto tcp reject with tcp reset
        ip daddr 198.18.18.0/24 reject with icmp port-unreachable
        ip daddr 198.18.19.0/24 reject with icmp host-unreachable
        ip daddr 198.18.21.0/24 reject with icmp net-unreachable
    }
    chain extra {
        type filter hook forward priority 1; policy accept;
    }
}
"""

CLONE_NEWNET = 0x40000000

SERVER4 = "198.18.1.2"
SERVER6 = "2001:db8:0:5::2"


def run(*command, text=None):
    """A command that has to succeed."""
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


class Rig:
    """The three namespaces, from up() to down()."""

    def __init__(self):
        self.client, self.router, self.server = (f"asock{os.getpid()}-{end}" for end in "crs")
        self.programs = []

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    @staticmethod
    def inside(namespace):
        """The beginning of a command that runs in a namespace."""
        return ["nsenter", f"--net=/run/netns/{namespace}", "--"]

    @staticmethod
    @contextlib.contextmanager
    def entered(namespace):
        """The calling thread inside a namespace: a socket belongs to where it is made, for good."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{namespace}", "rb") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def up(self):
        """Makes everything. Links go up before they get addresses, else IPv6 waits for a second."""
        for name in (self.client, self.router, self.server):
            run("ip", "netns", "add", name)
            run(*self.inside(name), "sh", "-ec", """
                cd /proc/sys/net/ipv6/conf/default
                echo 0 > dad_transmits; echo 0 > accept_dad; echo 0 > accept_ra""")
            self.ip(name, "link set lo up")
        for lower, upper in ((self.client, self.router), (self.router, self.server)):
            run("ip", "link", "add", "up0", "netns", lower, "type", "veth", "peer", "name", "down0",
                "netns", upper)
        self.ip(self.client, "link set up0 up")
        self.ip(self.router, "link set down0 up", "link set up0 up")
        self.ip(self.server, "link set down0 up")
        self.ip(self.client, "addr add 198.18.0.2/30 dev up0",
                "addr add 2001:db8:0:c::2/64 dev up0 nodad",
                "route add default via 198.18.0.1", "route add default via 2001:db8:0:c::1",
                # More of what is the client's own: a second address of one network, and whole ranges.
                "addr add 198.18.40.5/24 dev up0", "addr add 198.18.40.6/24 dev up0",
                "addr add 2001:db8:0:40::5/64 dev up0 nodad",
                "route add local 198.18.41.0/24 dev lo src 198.18.40.5",
                "route add local 2001:db8:0:41::/64 dev lo")
        self.ip(self.router, "addr add 198.18.0.1/30 dev down0",
                "addr add 2001:db8:0:c::1/64 dev down0 nodad",
                "addr add 198.18.1.1/24 dev up0", "addr add 2001:db8:0:5::1/64 dev up0 nodad",
                "route add 198.18.16.0/20 via 198.18.1.2",
                "route add 2001:db8:0:10::/60 via 2001:db8:0:5::2")
        self.ip(self.server, f"addr add {SERVER4}/24 dev down0",
                f"addr add {SERVER6}/64 dev down0 nodad",
                "route add local 198.18.16.0/20 dev lo",
                "route add local 2001:db8:0:10::/60 dev lo",
                "route add default via 198.18.1.1", "route add default via 2001:db8:0:5::1")
        # A router answers to its networks' anycast addresses too.
        run(*self.inside(self.client), "sh", "-ec", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
        run(*self.inside(self.router), "sh", "-ec", """
            cd /proc/sys/net
            echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding
            echo 0 > ipv4/icmp_ratelimit; echo 0 > ipv6/icmp/ratelimit""")
        run(*self.inside(self.router), "nft", "-f", "-", text=FAULTS)

    @staticmethod
    def ip(namespace, *lines):
        """ip(8) commands in a namespace."""
        run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")

    def fault(self, rule):
        """One more nftables rule in the router, for one test; see clear_faults."""
        run(*self.inside(self.router), "nft", "add", "rule", "inet", "rig", "extra", *rule.split())

    def clear_faults(self):
        """Takes away what fault() added."""
        run(*self.inside(self.router), "nft", "flush", "chain", "inet", "rig", "extra")

    def spawn(self, namespace, *command):
        """A program that says "ready" on its first line; runs until stop() or the rig's end."""
        process = subprocess.Popen([*self.inside(namespace), *command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        self.programs.append(process)
        line = process.stdout.readline()
        assert line == "ready\n", f"{command} said {line!r}"
        return process

    def python(self, namespace, script, *arguments):
        """spawn() for a program of this folder."""
        path = os.path.join(os.path.dirname(__file__), script)
        return self.spawn(namespace, sys.executable, path, *map(str, arguments))

    def stop(self, process):
        """Ends a program of spawn()."""
        self.programs.remove(process)
        process.kill()
        process.wait()
        process.stdout.close()

    def down(self):
        """Ends the programs and removes the namespaces; each step whatever the one before did."""
        for process in list(self.programs):
            self.stop(process)
        for name in (self.client, self.router, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
