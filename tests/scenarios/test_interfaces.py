# SPDX-License-Identifier: MIT
"""What the daemon answers is what the .varlink files describe: every method's reply, and errors with their fields."""

import pytest

import upstream
from daemon import source_dir
from idl import Interface
from upstream import Upstream
from peers import Greeter
from wire import (BIND, CONNECT, CONNECT_NEXT, DUMP_CACHE, DUMP_HISTORY, EXPLAIN, FLUSH_CACHE,
                  FLUSH_HISTORY, LIST_SERVERS, PING, RESOLVE, RESOLVE_ADDRESS, RESOLVE_RECORD,
                  RESOLVE_SERVICE, SERVICE, WHOAMI, Client)

INTERFACES = {path.stem: Interface(path.read_text())
              for path in (source_dir() / "protocol").glob("*.varlink")}

METHODS = [f"{name}.{method}" for name, interface in INTERFACES.items() for method in interface.methods]

# A call for each method that succeeds; {port} is that of a peer that accepts.
GOOD = {
    PING: {},
    WHOAMI: {},
    SERVICE + ".GetInfo": {},
    SERVICE + ".GetInterfaceDescription": {"interface": SERVICE},
    RESOLVE: {"host": "both.test", "service": "https"},
    RESOLVE_SERVICE: {"service": "imap", "domain": "dns.test"},
    RESOLVE_RECORD: {"name": "alias.dns.test", "type": "A"},
    RESOLVE_ADDRESS: {"address": "127.0.0.1"},
    CONNECT: {"host": "both.test", "service": "{port}"},
    BIND: {"host": "::1", "protocol": "tcp", "options": {"noDelay": True}},
    CONNECT_NEXT: {},
    LIST_SERVERS: {},
    DUMP_CACHE: {},
    FLUSH_CACHE: {"name": "*.test", "type": "A", "kind": "positive"},
    DUMP_HISTORY: {"glob": "*", "limit": 1000},
    FLUSH_HISTORY: {},
    EXPLAIN: {"target": "dns.test:80"},
}

# What a method needs of the policy.
RULES = {BIND: "[Role all]\nMatch=netns:same\nMode=open\nAllow=listen tcp *:*\n"}
# What comes before on the same connection.
BEFORE = {CONNECT_NEXT: (CONNECT, {"host": "pair.test", "service": "{port}"})}

# These answer on the control socket alone.
CONTROL = {LIST_SERVERS, DUMP_CACHE, FLUSH_CACHE, DUMP_HISTORY, FLUSH_HISTORY, EXPLAIN}

# Calls that fail, each with its error.
BAD = [
    ("org.asockd.Nothing.Here", {}, "org.varlink.service.InterfaceNotFound"),
    ("org.asockd.Manager.Nothing", {}, "org.varlink.service.MethodNotFound"),
    (PING, {"x": 1}, "org.varlink.service.InvalidParameter"),
    (RESOLVE, {"host": "missing.invalid"}, "org.asockd.Resolver.NameNotFound"),
    (RESOLVE, {"host": "v4.test", "family": "inet6"}, "org.asockd.Resolver.NoData"),
    (RESOLVE, {"host": "other.test"}, "org.asockd.Resolver.NoServers"),
    (RESOLVE, {"host": "a..b"}, "org.asockd.Resolver.InvalidName"),
    (RESOLVE, {"host": "v4.test", "service": "no-such-service"}, "org.asockd.Resolver.UnknownService"),
    (RESOLVE_SERVICE, {"service": "imap"}, "org.varlink.service.InvalidParameter"),
    (RESOLVE_SERVICE, {"service": "imap", "domain": "other.test"}, "org.asockd.Resolver.NoServers"),
    (RESOLVE_RECORD, {"name": "a..b", "type": "MX"}, "org.asockd.Resolver.InvalidName"),
    (RESOLVE_RECORD, {"name": "other.test", "type": "XM"}, "org.asockd.Resolver.InvalidName"),
    (RESOLVE_RECORD, {"name": "other.test", "type": "ANY"}, "org.asockd.Resolver.InvalidName"),
    (RESOLVE_ADDRESS, {"address": "localhost"}, "org.asockd.Resolver.InvalidName"),
    (RESOLVE_ADDRESS, {"address": "192.0.2.1"}, "org.asockd.Resolver.NoServers"),
    (LIST_SERVERS, {}, "org.varlink.service.PermissionDenied"),
    (DUMP_CACHE, {"limit": "many"}, "org.varlink.service.PermissionDenied"),
    (FLUSH_CACHE, {}, "org.varlink.service.PermissionDenied"),
    (DUMP_HISTORY, {}, "org.varlink.service.PermissionDenied"),
    (FLUSH_HISTORY, {}, "org.varlink.service.PermissionDenied"),
    (EXPLAIN, {"target": "v4.test:1"}, "org.varlink.service.PermissionDenied"),
    (CONNECT, {"host": "v4.test", "service": "1"}, "org.asockd.Connector.ConnectFailed"),
    (CONNECT, {"host": "169.254.169.254", "service": "80"}, "org.asockd.Connector.Denied"),
    (CONNECT, {"host": "v4.test", "service": "1", "options": {"mark": 1}}, "org.asockd.Connector.Denied"),
    (CONNECT, {"host": "v4.test", "service": "1", "options": {"congestion": "none"}},
     "org.asockd.Connector.ConnectFailed"),
    (BIND, {"host": "127.0.0.1"}, "org.asockd.Connector.Denied"),
    (BIND, {"host": "localhost"}, "org.asockd.Resolver.InvalidName"),
    (BIND, {"service": "no-such-service"}, "org.asockd.Resolver.UnknownService"),
    (CONNECT_NEXT, {}, "org.asockd.Connector.NoMoreCandidates"),
    (CONNECT_NEXT, {"host": "v4.test"}, "org.varlink.service.InvalidParameter"),
]

# Calls that fail with a name server that answers as make_upstream() has it.
BAD_ANSWERS = [
    (RESOLVE, {"host": "missing.test"}, "org.asockd.Resolver.NameNotFound"),
    (RESOLVE, {"host": "failing.test"}, "org.asockd.Resolver.ServerFailed"),
    (RESOLVE, {"host": "silent.test", "timeoutUsec": 200000}, "org.asockd.Connector.TimedOut"),
    (RESOLVE_RECORD, {"name": "dns.test", "type": "MX"}, "org.asockd.Resolver.NoData"),
    (RESOLVE_RECORD, {"name": "missing.test", "type": "MX"}, "org.asockd.Resolver.NameNotFound"),
    (RESOLVE_SERVICE, {"service": "pop3", "domain": "dns.test"}, "org.asockd.Resolver.ServiceUnavailable"),
    (CONNECT, {"host": "dns.test", "service": "no-such-service"}, "org.asockd.Resolver.UnknownService"),
]

HOSTS = "127.0.0.1 both.test v4.test pair.test\n::1 both.test\n127.0.0.2 pair.test\n"


@pytest.fixture
def made_upstream():
    """A name server with a good name, an alias, a service, one that is not offered, and what fails."""
    with Upstream() as made:
        no_such = upstream.extended_error(22, b"nobody home")
        made.rule("*", "*", authority=[upstream.soa()], rcode=upstream.NXDOMAIN, options=no_such)
        made.rule("dns.test", "*", authority=[upstream.soa()])
        made.rule("dns.test", "A", [upstream.address("127.0.0.1")])
        made.rule("alias.dns.test", "A", [upstream.cname("dns.test"), upstream.address("127.0.0.1", "dns.test")])
        made.rule("_imap._tcp.dns.test", "SRV", [upstream.srv(0, 1, 143, "dns.test"),
                                                 upstream.srv(1, 1, 143, "missing.test")])
        made.rule("_pop3._tcp.dns.test", "SRV", [upstream.srv(0, 0, 0, "")])
        made.rule("failing.test", "*", rcode=upstream.SERVFAIL, options=no_such)
        made.rule("silent.test", "*", silent=1)
        yield made


def ask(daemon, method, parameters, path=None, before=None):
    """The whole reply."""
    with Client(path or daemon.socket) as client:
        if before is not None:
            client.send(*before)
            client.receive_connection()[1].close()
        client.send(method, parameters)
        reply, connection = client.receive()
        if connection is not None:
            connection.close()
        return reply


def check_reply(method, reply):
    """That it is a good one, of this method."""
    assert set(reply) == {"parameters"}
    interface, name = method.rsplit(".", 1)
    INTERFACES[interface].check(reply["parameters"], INTERFACES[interface].methods[name][1], method)


def check_error(error, reply):
    """That it is this error."""
    assert reply["error"] == error
    interface, name = error.rsplit(".", 1)
    INTERFACES[interface].check(reply["parameters"], INTERFACES[interface].errors[name], error)


def test_there_is_a_good_call_for_each_method():
    assert sorted(GOOD) == sorted(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_reply_is_as_described(start, greeter, made_upstream, method):
    def fill(parameters):
        return {name: value.format(port=greeter.port) if isinstance(value, str) else value
                for name, value in parameters.items()}

    daemon = start(RULES.get(method, ""), hosts=HOSTS, resolve=made_upstream.lines())
    before = BEFORE.get(method)
    with Greeter("127.0.0.2", greeter.port):
        check_reply(method, ask(daemon, method, fill(GOOD[method]),
                                daemon.control if method in CONTROL else None,
                                before and (before[0], fill(before[1]))))


@pytest.mark.parametrize("method", sorted(CONTROL))
def test_reply_is_as_described_when_there_is_much_to_tell(start, made_upstream, method):
    daemon = start(hosts=HOSTS, resolve=made_upstream.lines())
    for asked, parameters in [(name, GOOD[name]) for name in (RESOLVE_SERVICE, RESOLVE_RECORD)] + [
            (name, given) for name, given, _ in BAD_ANSWERS]:
        ask(daemon, asked, parameters)
    for parameters in [GOOD[method]] + ([{"target": "missing.test:80"}, {"target": "failing.test:80"}]
                                        if method == EXPLAIN else []):
        check_reply(method, ask(daemon, method, parameters, daemon.control))


@pytest.mark.parametrize("method, parameters, error", BAD)
def test_error_is_as_described(start, method, parameters, error):
    daemon = start(hosts=HOSTS)
    check_error(error, ask(daemon, method, parameters))


@pytest.mark.parametrize("method, parameters, error", BAD_ANSWERS)
def test_error_with_a_name_server_is_as_described(start, made_upstream, method, parameters, error):
    daemon = start(hosts=HOSTS, resolve=made_upstream.lines())
    check_error(error, ask(daemon, method, parameters))
