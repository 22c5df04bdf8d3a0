# SPDX-License-Identifier: MIT
"""The tables of races: names whose addresses and name servers are good, slow, dead or wrong, with what
a connection may cost there, first and again. tests/bench/race.py prints them, test_race_matrix.py asserts
them.

A column is a scenario; its figure is the time from the first packet of a call (a question, else a SYN)
to the SYN-ACK of the connection that is handed over, off the wire. "cold" is a name and addresses that
were never used, "warm" the same ones once more, from the call on, since there no question need leave.
The best known figures are those of 17 other programs, measured in a rig of the same kind.
"""

import collections
import concurrent.futures
import time

from racerig import AAAA, A, SERVFAIL, Scenario, median, now_us, percentile

# low, high: milliseconds within which the median has to be; None: not asked for.
Bounds = collections.namedtuple("Bounds", "low high")
Column = collections.namedtuple("Column", "table head scenario winner cold warm best warm_winner")

REPEATS = 3
GOOD, DEAD = "pass", "drop"
TABLES = {
    "5.1": "Time to connect with dead or slow addresses (ms, in brackets the address that won)",
    "5.2": "Errors, slow paths, address selection",
    "5.3": "DNS timing (ms from the first query to the connection)",
}


def column(table, head, name, winner, cold, warm, best, warm_winner=None, **scenario):
    """A column and its scenario."""
    return Column(table, head, Scenario(name, **scenario), winner, Bounds(*cold),
                  Bounds(*warm) if warm else None, best, warm_winner or winner)


AT_ONCE = Bounds(0, 2)  # G5: what is known to be dead costs nothing
ONE_DELAY = (249, 252)  # G5
RESOLUTION_DELAY = (50, 51.5)  # G3, G9

COLUMNS = [
    column("5.1", "both alive", "base", "6.1", (0, 2), AT_ONCE, "0.5 (6.1) curl 8.22", v6=[GOOD],
           v4=[GOOD], runs=200),
    column("5.1", "1 dead v6 + v4", "cad", "4.1", ONE_DELAY, AT_ONCE, "201 (4.1) curl at 200",
           v6=[DEAD], v4=[GOOD], runs=1500),
    *(column("5.1", f"{count} dead", f"dead{count}", "4.1", ONE_DELAY, AT_ONCE, "201 (4.1) curl at 200",
             v6=[DEAD] * count, v4=[GOOD]) for count in (2, 4, 8)),
    column("5.1", "only 4th v6 of 4+4", "dead4of8", "6.4", (800, 900), AT_ONCE, "903 (6.4) Twisted",
           v6=[DEAD] * 3 + [GOOD], v4=[DEAD] * 4),
    column("5.1", "v6 only, 2 dead", "same6", "6.3", (400, 460), AT_ONCE, "402 (6.3) curl 8.22 at 200",
           v6=[DEAD, DEAD, GOOD]),
    column("5.1", "v4 only, 2 dead", "same4", "4.3", (400, 460), AT_ONCE, "402 (4.3) curl 8.22 at 200",
           v4=[DEAD, DEAD, GOOD]),
    column("5.1", "v6 400 ms, v6 20 ms", "rtt-order", "6.2", (269, 272.5), (20, 22.5),
           "222 (6.2) curl 8.22 at 200", v6=["pass:400", "pass:20"], runs=40),

    column("5.2", "v6 RST", "refused6", "4.1", (0, 1.5), AT_ONCE, "0.4 (4.1) curl 8.22", v6=["reset"],
           v4=[GOOD], runs=40),
    column("5.2", "4 × RST", "refused4", "4.1", (0, 1.5), AT_ONCE, "0.6 (4.1) curl 8.22",
           v6=["reset"] * 4, v4=[GOOD]),
    column("5.2", "4 × RST, v6 only", "chain", "6.5", (0, 2), AT_ONCE, "",
           v6=["reset"] * 4 + [GOOD], runs=40),
    column("5.2", "ICMPv6 no route", "noroute6", "4.1", (0, 1.5), AT_ONCE, "0.5 (4.1) curl 8.22",
           v6=["no-route"], v4=[GOOD], runs=40),
    column("5.2", "ICMPv6 prohibited", "prohibited6", "4.1", (0, 1.5), AT_ONCE, "0.6 (4.1) GLib",
           v6=["prohibited"], v4=[GOOD], runs=40),
    column("5.2", "v6 300, v4 600", "slow6", "6.1", (300, 302), (300, 302), "301 (6.1) curl 8.22",
           v6=["pass:300"], v4=["pass:600"]),
    column("5.2", "both 300", "rtt300", "6.1", (300, 302), (300, 302), "301 (6.1) all but Node",
           v6=["pass:300"], v4=["pass:300"], runs=40),
    column("5.2", "v6 1000, v4 dead", "slow6b", "6.1", (1000, 1003), (1000, 1003), "1001 (6.1) curl",
           v6=["pass:1000"], v4=[DEAD]),
    column("5.2", "first SYN lost", "lost6", "6.1", (1000, 1060), (1000, 1060), "1012 (6.1) GLib",
           v6=["lose-first"], v4=[DEAD]),
    column("5.2", "v6 accepts, then dead", "half6", "6.1", (0, 2), AT_ONCE, "0.5 (6.1) wget",
           v6=["half"], v4=[GOOD], runs=60),
    # A server may be slow to speak, so it is not called dead; but its round trip is known.
    column("5.2", "v6 accepts, then dead: first byte", "half6-byte", "4.1", ONE_DELAY, (0, 102.5), "",
           v6=["half"], v4=[GOOD], call={"success": "firstByte"}, runs=40),
    column("5.2", "no v6 route", "nov6", "4.1", (0, 1.5), AT_ONCE, "0.5 (4.1) curl",
           v6=["pass@no-route"], v4=[GOOD]),
    column("5.2", "ULA + v4", "ula", "4.1", (0, 1.5), AT_ONCE, "0.6 (4.1) Go", v6=["pass@local"],
           v4=[GOOD]),

    *(column("5.3", f"AAAA +{late}", f"aaaa{late}", "6.1", (late, late + 2), AT_ONCE,
             f"{late + 1} (6.1) GLib", v6=[GOOD], v4=[GOOD], aaaa={"delay": late * 1000})
      for late in (20, 40)),
    column("5.3", "+49", "aaaa49", "6.1", (49, 50.9), AT_ONCE, "", v6=[GOOD], v4=[GOOD],
           aaaa={"delay": 49000}),
    # Once the late answer is there, and IPv6 is as good, it is the first choice again.
    *(column("5.3", f"+{late}", f"aaaa{late}", "4.1", RESOLUTION_DELAY, AT_ONCE, "25 (4.1) curl at 25",
             v6=[GOOD], v4=[GOOD], aaaa={"delay": late * 1000}, warm_winner="6.1")
      for late in (60, 100, 200)),
    column("5.3", "AAAA lost", "aaaa-lost", "4.1", RESOLUTION_DELAY, None, "26 (4.1) curl at 25",
           v6=[GOOD], v4=[GOOD], aaaa={"silent": 1}),
    column("5.3", "AAAA SERVFAIL", "aaaa-fails", "4.1", (0, 2), None, "0.5 (4.1) curl", v6=[GOOD],
           v4=[GOOD], aaaa={"fail": SERVFAIL}),
    column("5.3", "SERVFAIL at 300", "fails-late", "4.1", RESOLUTION_DELAY, None, "26 (4.1) curl at 25",
           v6=[GOOD], v4=[GOOD], aaaa={"fail": SERVFAIL, "delay": 300_000}),
    column("5.3", "A at 1000", "a1000", "6.1", (0, 2), AT_ONCE, "0.4 (6.1) curl 8.22", v6=[GOOD],
           v4=[GOOD], a={"delay": 1_000_000}),
    column("5.3", "A lost", "a-lost", "6.1", (0, 2), None, "0.3 (6.1) curl 8.22", v6=[GOOD],
           v4=[GOOD], a={"silent": 1}),
    column("5.3", "v6 dead, A at 600", "a600-dead6", "4.1", (600, 602), None, "601 (4.1) GLib",
           v6=[DEAD], v4=[GOOD], a={"delay": 600_000}),
    column("5.3", "v4 dead, AAAA at 400", "aaaa400-dead4", "6.1", (400, 402), None, "401 (6.1) curl",
           v6=[GOOD], v4=[DEAD], aaaa={"delay": 400_000}),
    column("5.3", "TC=1 both", "tc", "6.1", (0, 2.5), AT_ONCE, "1.0 (6.1) asyncio", v6=[GOOD],
           v4=[GOOD], a={"truncate": 1}, aaaa={"truncate": 1}),
]

# Of the other tables and of further tests.
FURTHER = [
    Scenario("order44", [DEAD] * 4, [DEAD] * 4, call={"timeoutUsec": 12_000_000}),
    Scenario("mixed", ["reset", "no-route", "prohibited"], ["unreachable", "reset"]),
    Scenario("rd200", [GOOD], [GOOD], aaaa={"delay": 200_000}),
    Scenario("loser", ["pass:252"], [GOOD]),
    Scenario("good44", [GOOD] * 4, [GOOD] * 4, runs=80),
    Scenario("other-source", ["drop@other-source"], [GOOD]),
    Scenario("late-a44", [DEAD] * 4, [GOOD], a={"delay": 300_000}),
    Scenario("late-aaaa44", [GOOD], [DEAD] * 4, aaaa={"delay": 400_000}),
    Scenario("rtt8a", ["pass:300", "pass:20"]),
    Scenario("route44", ["drop@other-source"] * 4, [DEAD] * 4, call={"timeoutUsec": 3_000_000}),
]
SCENARIOS = [row.scenario for row in COLUMNS] + FURTHER

# What the report has of the tables without a column for each scenario.
BEST_ORDER = ("curl 8.22-dev, c-ares 1.18 (200)", "6.1 4.1 6.2 4.2 6.3 4.3 6.4 4.4",
              "201 201 200 200 201 200 200", "48")
BEST_ACCURACY = ("Go 1.19 (300), curl, GLib", "300.6, 300.5, 300.8, 374, 13.2", "50.7 (GLib)",
                 "0.23 (curl 8.22)", "30 of 30")
BEST_LEARNT = ("curl 8.22-dev (200)", "201 201 201 201 201", "40, 20", "201")
BEST_ERRORS = ("Node", "five reasons, five addresses", "5")
GOAL_GAPS = (250, 187.5, 140.6, 105.5, 100, 100, 100)


def await_answers(fresh):
    """Until the late answers to a scripted name have come, if they ever do."""
    late_us = max((manner or {}).get("delay", 0) for manner in (fresh.scenario.a, fresh.scenario.aaaa))
    end = now_us() + late_us
    while late_us and now_us() < end:
        answers = [packet for packet in fresh.packets() if packet.kind == "answer"]
        if len({packet.detail[1] for packet in answers}) == 2:
            return
        time.sleep(0.005)


def connect_twice(rig, daemon, name):
    """(cold, warm) results of one fresh name."""
    fresh = rig.new_run(name)
    found = []
    with rig.connect_to(daemon) as client:
        for _ in range(2):
            if found:
                await_answers(fresh)
            with fresh.connect(client) as result:
                # The greeting shows that it is the peer's, and is left to the half-open ones.
                if result.connection is not None and "half" not in name:
                    result.connection.settimeout(5)
                    assert result.connection.recv(100) == b"greetings\n"
            found.append(result)
    return tuple(found)


def measure(rig, daemon, columns, repeats=REPEATS, parallel=6):
    """{name of a column's scenario: [(cold, warm)…]}, several at a time."""
    names = [row.scenario.name for row in columns for _ in range(repeats)]
    # The long ones first, so that the last does not go on alone.
    names.sort(key=lambda name: -next(row.cold.high for row in columns if row.scenario.name == name))
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        jobs = [(name, pool.submit(connect_twice, rig, daemon, name)) for name in names]
        found = collections.defaultdict(list)
        for name, job in jobs:
            found[name].append(job.result())
    return found


def cold_ms(result):
    """The figure of a first connection."""
    return result.connect_ms


def warm_ms(result):
    """Of a further one: from the call, for no question need leave."""
    return (result.connected_us - result.began_us) / 1000


def measure_order(rig, daemon, timeout_us=12_000_000):
    """4 + 4 dead addresses: the Result of one call that fails."""
    with rig.connect_to(daemon) as client:
        return rig.new_run("order44").connect(client, timeoutUsec=timeout_us)


def repeat(rig, daemon, name, runs, **parameters):
    """Fresh connections, one after the other."""
    found = []
    with rig.connect_to(daemon) as client:
        for _ in range(runs):
            with rig.new_run(name).connect(client, **parameters) as result:
                found.append(result)
    return found


def attempt_delays(results):
    """The gap of each."""
    return [result.gaps[0] for result in results]


def after_a(results):
    """First SYN after the A answer, where AAAA is late."""
    return [(result.first_syn_us - result.answer_us(A)) / 1000 for result in results]


def after_aaaa(results):
    """First SYN after the AAAA answer."""
    return [(result.first_syn_us - result.answer_us(AAAA)) / 1000 for result in results]


def deviation(values):
    """Standard deviation."""
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5


def spread(values):
    """median, p5, p95, max, sd as the table has them."""
    return ", ".join(f"{value:.2f}" for value in (
        median(values), percentile(values, 5), percentile(values, 95), max(values), deviation(values)))


def same_name(rig, daemon, count=5, name="cad"):
    """Connections to one name, each of a client of its own."""
    fresh, found = rig.new_run(name), []
    for _ in range(count):
        with rig.connect_to(daemon) as client, fresh.connect(client) as result:
            found.append(result)
    return found


def burst(rig, daemon, count=20, name="cad"):
    """(run, results) of connections to one name, all asked for at once."""
    fresh = rig.new_run(name)
    clients = [rig.connect_to(daemon) for _ in range(count)]
    try:
        call = {"host": fresh.host, "service": str(fresh.scenario.port)}
        calls = [client.encode("org.asockd.Connector.Connect", call) for client in clients]
        began = []
        for client, data in zip(clients, calls):
            began.append(now_us())
            client.send_raw(data)
        results = [fresh.finish(client, when) for client, when in zip(clients, began)]
        for result in results:
            result.close()
    finally:
        for client in clients:
            client.close()
    return fresh, results


def total_ms(result):
    """What the daemon says the call took; in a burst the client reads too late to tell."""
    return result.reply["totalUsec"] / 1000
