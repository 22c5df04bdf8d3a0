# SPDX-License-Identifier: MIT
"""What the daemon answers is what the .varlink files describe: every method's reply, and errors with their fields."""

import pytest

from daemon import source_dir
from idl import Interface
from wire import CONNECT, PING, RESOLVE, SERVICE, WHOAMI, Client

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
    CONNECT: {"host": "both.test", "service": "{port}"},
}

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
    (CONNECT, {"host": "v4.test", "service": "1"}, "org.asockd.Connector.ConnectFailed"),
    (CONNECT, {"host": "169.254.169.254", "service": "80"}, "org.asockd.Connector.Denied"),
    (CONNECT, {"host": "v4.test", "service": "1", "options": {"mark": 1}}, "org.asockd.Connector.Denied"),
]

HOSTS = "127.0.0.1 both.test v4.test\n::1 both.test\n"


def ask(daemon, method, parameters):
    """The whole reply."""
    with Client(daemon.socket) as client:
        client.send(method, parameters)
        reply, connection = client.receive()
        if connection is not None:
            connection.close()
        return reply


def test_there_is_a_good_call_for_each_method():
    assert sorted(GOOD) == sorted(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_reply_is_as_described(start, greeter, method):
    daemon = start(hosts=HOSTS)
    parameters = {name: value.format(port=greeter.port) if isinstance(value, str) else value
                  for name, value in GOOD[method].items()}
    reply = ask(daemon, method, parameters)
    assert set(reply) == {"parameters"}
    interface, name = method.rsplit(".", 1)
    INTERFACES[interface].check(reply["parameters"], INTERFACES[interface].methods[name][1], method)


@pytest.mark.parametrize("method, parameters, error", BAD)
def test_error_is_as_described(start, method, parameters, error):
    daemon = start(hosts=HOSTS)
    reply = ask(daemon, method, parameters)
    assert reply["error"] == error
    interface, name = error.rsplit(".", 1)
    INTERFACES[interface].check(reply["parameters"], INTERFACES[interface].errors[name], error)
