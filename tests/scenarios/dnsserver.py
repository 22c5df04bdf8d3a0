# SPDX-License-Identifier: MIT
"""A scripted name server over UDP and TCP: it answers by rules, and what has no rule it passes on
or does not know.

Rules are a dictionary from "NAME TYPE" to a dictionary with
    answers   addresses in text (A, AAAA) or the target of a CNAME; "OWNER TEXT" for a
              record of another owner
    rcode     2 for SERVFAIL and so on; 0 unless given
    drop      true: no answer at all
    delay     seconds before the answer
    truncate  true: over UDP only the TC bit and nothing else
    lie       over UDP, first a wrong answer with lie_address in it: "id", "question" or
              "qr" says what is wrong
Without a rule: what the upstream server says when there is one, else NXDOMAIN, or NOERROR without
an answer when there is a rule for another type of the name. Every question is kept in self.log as
"NAME TYPE PROTOCOL".

As a program, for use in a namespace:  dnsserver.py ADDRESS PORT UPSTREAM-OR-MINUS RULES-AS-JSON
It prints "ready" when it answers.
"""

import contextlib
import ipaddress
import json
import os
import selectors
import socket
import struct
import sys
import threading

TYPES = {1: "A", 5: "CNAME", 28: "AAAA"}
NUMBERS = {name: number for number, name in TYPES.items()}
NXDOMAIN = 3


def read_question(query):
    """(name, type) of a query and the number of bytes of header and question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
        at += 1 + query[at]
    number = struct.unpack_from("!H", query, at + 1)[0]
    return ".".join(labels), TYPES.get(number, str(number)), at + 5


def encode_name(name):
    """A name as labels."""
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def encode_record(owner, text, ttl):
    """One answer record for the owner: an address or an alias."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        number, data = NUMBERS["CNAME"], encode_name(text)
    else:
        number, data = NUMBERS["A" if address.version == 4 else "AAAA"], address.packed
    return encode_name(owner) + struct.pack("!HHIH", number, 1, ttl, len(data)) + data


def encode_answer(query, rcode, answers=(), flags=0x8180, ttl=60):
    """A whole answer to the query. answers: (owner, text) pairs."""
    end = read_question(query)[2]
    header = query[:2] + struct.pack("!HHHHH", flags | rcode, 1, len(answers), 0, 0)
    return header + query[12:end] + b"".join(encode_record(*answer, ttl) for answer in answers)


def falsify(answer, what):
    """An answer that must not be believed."""
    if what == "id":
        return bytes([answer[0] ^ 0x55]) + answer[1:]
    if what == "qr":
        return answer[:2] + bytes([answer[2] & 0x7f]) + answer[3:]
    assert what == "question"
    return answer[:13] + bytes([answer[13] ^ 0x01]) + answer[14:]


class DnsServer:
    """Answers on one address, UDP and TCP on the same port, from a thread of its own."""

    def __init__(self, rules=None, address="127.0.0.1", port=0, upstream=None):
        self.rules = {name.lower(): rule for name, rule in (rules or {}).items()}
        self.upstream = upstream
        self.log = []
        self.udp, self.tcp = self.bind(address, port)
        self.port = self.udp.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.wake, self.woken = socket.socketpair()
        for item in (self.udp, self.tcp, self.woken):
            self.selector.register(item, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def bind(address, port):
        """Both sockets on one port; a free one when port is 0."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(20):
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.bind((address, port))
            try:
                tcp = socket.create_server((address, udp.getsockname()[1]), family=family)
                return udp, tcp
            except OSError:
                udp.close()
        raise AssertionError("no port that is free for UDP and TCP")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.close()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def count(self, question):
        """How often "NAME TYPE" was asked, over any protocol."""
        return sum(line.rsplit(" ", 1)[0] == question for line in self.log)

    def run(self):
        """Serves until woken up."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.woken:
                    return
                # A client that gives up in the middle is nobody's fault.
                with contextlib.suppress(OSError, struct.error, IndexError):
                    if key.fileobj is self.udp:
                        self.on_datagram()
                    else:
                        self.on_stream()

    def on_datagram(self):
        """One question over UDP."""
        query, client = self.udp.recvfrom(4096)
        rule = self.find(query, "udp")
        if rule.get("drop"):
            return
        answer = self.answer(query, rule, "udp")
        if rule.get("truncate"):
            answer = encode_answer(query, 0, flags=0x8380)
        packets = [answer]
        if "lie" in rule:
            lie = encode_answer(query, 0, [(read_question(query)[0], rule["lie_address"])])
            packets.insert(0, falsify(lie, rule["lie"]))
        if "delay" in rule:
            threading.Timer(rule["delay"], self.reply, (packets, client)).start()
        else:
            self.reply(packets, client)

    def reply(self, packets, client):
        """Sends answers, perhaps late."""
        with contextlib.suppress(OSError):
            for packet in packets:
                self.udp.sendto(packet, client)

    def on_stream(self):
        """One connection over TCP with one question."""
        connection, _ = self.tcp.accept()
        with connection:
            connection.settimeout(2)
            query = self.read_message(connection)
            rule = self.find(query, "tcp")
            if not rule.get("drop"):
                answer = self.answer(query, rule, "tcp")
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    @staticmethod
    def read_message(connection):
        """One message with its length before it."""
        data = b""
        while len(data) < 2 or len(data) < 2 + struct.unpack_from("!H", data)[0]:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("the end came early")
            data += piece
        return data[2:]

    def find(self, query, protocol):
        """The rule for a query; {} when there is none."""
        name, kind, _ = read_question(query)
        self.log.append(f"{name} {kind} {protocol}")
        return self.rules.get(f"{name} {kind}".lower(), {})

    def answer(self, query, rule, protocol):
        """What to answer."""
        name = read_question(query)[0]
        if not rule and self.upstream:
            return self.ask_upstream(query, protocol)
        if not rule and not any(key.startswith(name + " ") for key in self.rules):
            return encode_answer(query, NXDOMAIN)
        answers = [text.split(" ") if " " in text else (name, text)
                   for text in rule.get("answers", ())]
        return encode_answer(query, rule.get("rcode", 0), answers)

    def ask_upstream(self, query, protocol):
        """What the real server says."""
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as upstream:
            upstream.settimeout(2)
            upstream.connect((self.upstream, 53))
            if protocol == "udp":
                upstream.send(query)
                return upstream.recv(4096)
            upstream.sendall(struct.pack("!H", len(query)) + query)
            return self.read_message(upstream)


def main(address, port, upstream, rules):
    """Serves until killed."""
    upstream = None if upstream == "-" else upstream
    with DnsServer(json.loads(rules), address, int(port), upstream) as server:
        print("ready", flush=True)
        server.thread.join()
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
