# SPDX-License-Identifier: MIT
"""asockctl connect --probe: the picture of a race. The daemon is a scripted one (fakedaemon.py), so
that the pictures are the same each time; what the real one tells is drawn at the end."""

import json
import re

import pytest

import wire
from asockctl import endpoint, manual_examples, on_a_terminal, run
from daemon import source_dir
from fakedaemon import FakeDaemon, error
from idl import Interface
from peers import closed_port

NS = "192.0.2.53:53"
NAME = "www.example.org"
SIX, FOUR, OTHER = "2001:db8::80", "192.0.2.80", "192.0.2.81"
PROBE = ["connect", "--probe", NAME, "443"]


def event(at_ms, kind, **more):
    """The parameters of a reply before the last."""
    return {"event": {"atUsec": round(at_ms * 1000), "kind": kind, **more}}


def answered(at_ms, kind, trip_ms=None, outcome="found", source="dns", name=NAME):
    """A question that a name server has answered, or somebody nearer."""
    more = {}
    if trip_ms is not None:
        more.update(server=NS, transport="udp", roundTripUsec=round(trip_ms * 1000))
    return event(at_ms, "question", name=name, type=kind, outcome=outcome, source=source, **more)


def candidate(address, **more):
    """One of a sorting."""
    source = {"sourceAddress": "2001:db8::99" if ":" in address else "192.0.2.99"}
    return {"endpoint": endpoint(address, 443), "target": NAME, "source": "dns", "dead": False,
            **source, **more}


def order(at_ms, *candidates):
    """A sorting."""
    return event(at_ms, "order", candidates=list(candidates))


def started(at_ms, attempt, address):
    """An attempt begins."""
    return event(at_ms, "start", attempt=attempt, endpoint=endpoint(address, 443))


def ended(at_ms, attempt, address, outcome, **more):
    """An attempt ends."""
    return event(at_ms, "end", attempt=attempt, endpoint=endpoint(address, 443), outcome=outcome,
                 **more)


def connected_to(address, total_ms, resolve_ms=12.4, attempts=()):
    """The last reply."""
    return {"fileDescriptor": 0, "peer": endpoint(address, 443),
            "local": endpoint("2001:db8::99" if ":" in address else "192.0.2.99", 40112),
            "name": NAME, "seal": [], "resolveUsec": round(resolve_ms * 1000),
            "totalUsec": round(total_ms * 1000), "attempts": list(attempts), "attemptsOmitted": 0,
            "hasNext": False}


def attempt(address, started_ms, elapsed_ms, outcome, **more):
    """An Attempt of the interface."""
    return {"endpoint": endpoint(address, 443), "target": NAME, "source": "dns",
            "startedUsec": round(started_ms * 1000), "elapsedUsec": round(elapsed_ms * 1000),
            "outcome": outcome, **more}


# The first address never answers, the second refuses, the third wins. An example of asockctl(1).
RACE = [
    answered(11.9, "AAAA", 11.8),
    answered(12.4, "A", 12.1),
    order(12.4, candidate(SIX, reason="the families take turns (RFC 8305)"),
          candidate(OTHER, reason="rule 8a: lower round trip (RFC 8305)", roundTripUsec=1100),
          candidate(FOUR, roundTripUsec=21000)),
    started(12.5, 0, SIX),
    started(262.5, 1, OTHER),
    ended(263.6, 1, OTHER, "failed", error="ECONNREFUSED"),
    started(263.6, 2, FOUR),
    ended(284.6, 2, FOUR, "connected", roundTripUsec=20900),
    ended(284.6, 0, SIX, "cancelled"),
    connected_to(FOUR, 284.7),
]
PICTURE = f"""\
{NAME}: connected to {FOUR} port 443 from 192.0.2.99 port 40112
                                           start      took  0           284.7 ms
   www.example.org AAAA   found, dns    0.100 ms   11.8 ms  |-
   www.example.org A      found, dns    0.300 ms   12.1 ms  |-
   order                  3 addresses    12.4 ms            |^
   2001:db8::80 port 443  cancelled      12.5 ms  272.1 ms  |==================
   192.0.2.81 port 443    ECONNREFUSED  262.5 ms    1.1 ms  |                 x
*  192.0.2.80 port 443    connected     263.6 ms   21.0 ms  |                 #
   total                                          284.7 ms

   address                target           source  from          round trip  before the next by
1  2001:db8::80 port 443  www.example.org  dns     2001:db8::99              the families take turns (RFC 8305)
2  192.0.2.81 port 443    www.example.org  dns     192.0.2.99        1.1 ms  rule 8a: lower round trip (RFC 8305)
3  192.0.2.80 port 443    www.example.org  dns     192.0.2.99       21.0 ms
"""


def draw(reply, *options, environment=None):
    """(exit code, standard output, standard error) of a probe that is told so."""
    with FakeDaemon({wire.CONNECT: reply}) as daemon:
        return run(daemon, *options, *PROBE, environment=environment)


def rows(reply, **environment):
    """The lines of the picture, without those before and behind it."""
    code, output, said = draw(reply, environment=environment)
    assert (code, said) == (0, "")
    first, *lines = output.split("\n\n")[0].splitlines()
    assert first.startswith(f"{NAME}: connected to ")
    return lines


def test_the_picture_of_a_race():
    assert draw(RACE) == (0, PICTURE, "")


EXAMPLES = list(manual_examples({"connect"}))


def test_the_manual_has_examples():
    assert len(EXAMPLES) == 1


@pytest.mark.parametrize("arguments, output", EXAMPLES)
def test_the_manual_shows_what_is_printed(arguments, output):
    with FakeDaemon({wire.CONNECT: RACE}) as daemon:
        assert run(daemon, *arguments) == (0, output, "")


def test_the_scripted_events_are_as_described():
    text = (source_dir() / "protocol/org.asockd.Connector.varlink").read_text()
    described = Interface(text)
    for told in [*RACE[:-1], *HELD[:-1]]:
        described.check(told["event"], ("name", "TraceEvent"), "event")
    described.check(RACE[-1], described.methods["Connect"][1], "reply")


def test_the_whole_width_is_for_the_axis():
    for columns in (80, 100, 133):
        lines = rows(RACE, COLUMNS=str(columns))
        assert max(map(len, lines)) == columns
        assert lines[0].endswith(" 284.7 ms") and lines[-2].endswith("#")


def test_a_narrow_terminal_has_the_labels_in_lines_of_their_own():
    assert rows(RACE, COLUMNS="56") == """\
                    start      took  0          284.7 ms
www.example.org AAAA
   found, dns    0.100 ms   11.8 ms  |-
www.example.org A
   found, dns    0.300 ms   12.1 ms  |-
order
   3 addresses    12.4 ms            |^
2001:db8::80 port 443
   cancelled      12.5 ms  272.1 ms  |=================
192.0.2.81 port 443
   ECONNREFUSED  262.5 ms    1.1 ms  |                x
192.0.2.80 port 443
*  connected     263.6 ms   21.0 ms  |                #
   total                   284.7 ms""".splitlines()


@pytest.mark.parametrize("columns, width", [("60", 60), ("10", 40)])
def test_long_labels_are_cut(columns, width):
    long = f"{'a' * 60}.{'b' * 60}.example"
    lines = rows([answered(1, "A", name=long), connected_to(FOUR, 2)], COLUMNS=columns)
    assert lines[1] == "a" * (width - 3) + "..."


@pytest.mark.parametrize("columns", ["0", "1", "10", "65000", "100000", "x", "-5", " 80"])
def test_absurd_widths_are_bounded(columns):
    assert 40 <= max(map(len, rows(RACE, COLUMNS=columns))) <= 1000


# Another race asks that address, and there were too many attempts elsewhere.
HELD = [
    answered(0.02, "A", source="hosts"),
    order(0.05, candidate(FOUR, reason="rule 10"), candidate(OTHER)),
    event(0.05, "hold", endpoint=endpoint(FOUR, 443)),
    event(50, "wait"),
    started(60, 0, OTHER),
    started(100, 1, FOUR),
    ended(140, 0, OTHER, "timeout", error="ETIMEDOUT"),
    ended(200, 1, FOUR, "connected"),
    connected_to(FOUR, 200),
]


def test_what_was_waited_for_is_dotted():
    assert rows(HELD) == """\
                                         start      took  0             200.0 ms
   www.example.org A    found, hosts  0.020 ms  0.000 ms  |-
   order                2 addresses   0.050 ms            |^
*  192.0.2.80 port 443  connected     100.0 ms  100.0 ms  |..........###########
   waits for a turn                    50.0 ms   10.0 ms  |     .
   192.0.2.81 port 443  timeout        60.0 ms   80.0 ms  |      =======x
   total                                        200.0 ms""".splitlines()


def test_what_is_held_back_until_the_end_is_told():
    lines = rows([*HELD[:3], started(60, 0, OTHER), ended(100, 0, OTHER, "connected"),
                  connected_to(OTHER, 100)])
    assert re.match(r"   192\.0\.2\.80 port 443  held back  +0\.050 ms  +99\.9 ms  \|\.+$",
                    lines[3])


def test_a_question_lasts_from_its_beginning_where_that_is_told():
    asked = event(0, "question", name=NAME, type="A")
    lines = rows([asked, answered(90, "A", 10), connected_to(FOUR, 100)])
    assert re.match(r"www\.example\.org A  found, dns  0\.000 ms   90\.0 ms  \|-+$", lines[1])


def test_bars_are_in_the_order_in_which_they_began():
    lines = rows([answered(10, "A", 9), started(10, 0, FOUR), answered(60, "AAAA", 59.5),
                  ended(90, 0, FOUR, "connected"), connected_to(FOUR, 100)])
    assert [re.split("  +", line.lstrip("* "))[0] for line in lines[1:]] == [
        f"{NAME} AAAA", f"{NAME} A", "192.0.2.80 port 443", "total"]


def test_an_end_without_number_is_that_of_no_other():
    lines = rows([event(1, "hold", endpoint=endpoint(SIX, 443)), event(5, "end", outcome="failed"),
                  connected_to(FOUR, 10)])
    assert re.match(r"2001:db8::80 port 443  held back +1\.0 ms +9\.0 ms ", lines[1])


@pytest.mark.parametrize("outcome, shown", [
    ("noData", "no data"), ("nameNotFound", "name not found"), ("timedOut", "timed out"),
    ("later", "later")])
def test_a_question_without_answer_says_why(outcome, shown):
    assert f"{NAME} A  {shown} " in rows([answered(1, "A", outcome=outcome),
                                          connected_to(FOUR, 2)])[1]


def test_dead_addresses_and_those_without_a_route_are_told():
    dead = candidate(FOUR, dead=True)
    gone = {name: value for name, value in candidate(SIX).items() if name != "sourceAddress"}
    output = draw([order(1, dead, gone), connected_to(FOUR, 2)])[1]
    assert re.search(r"^1  192\.0\.2\.80 port 443    .*  192\.0\.2\.99  dead$", output, re.M)
    assert re.search(r"^2  2001:db8::80 port 443  .*  no route$", output, re.M)


def test_the_last_order_is_shown():
    output = draw([order(1, candidate(SIX)), order(50, candidate(FOUR), candidate(SIX)),
                   connected_to(FOUR, 60)])[1]
    assert re.search(r"^order  1 address  .*\norder  2 addresses ", output, re.M)
    assert re.search(r"^1  192.*\n2  2001", output, re.M) and output.count("\n1  ") == 1


def test_attempts_without_an_end_last_until_the_end():
    lines = rows([started(0, 0, FOUR), connected_to(SIX, 100)])
    assert re.match(r"192\.0\.2\.80 port 443  running  0\.000 ms  100\.0 ms  \|=+$", lines[1])


def test_denied_addresses_are_told():
    lines = rows([ended(5, 0, FOUR, "denied"), connected_to(SIX, 10)])
    assert re.match(r"192\.0\.2\.80 port 443  denied  5\.0 ms  0\.000 ms  \| +x$", lines[1])


def test_events_of_later_versions_and_lost_ones_do_no_harm():
    later = [event(1, "somethingNew", endpoint=5, attempt="x", candidates={}), {"event": 7}, {},
             event(-5, "question", name=[]), event(2, "order", candidates=7), event(2, "end"),
             event(10**15, "start", attempt=-1), event(3, "lost", lost=17)]
    code, output, said = draw([*later, connected_to(FOUR, 2)])
    assert (code, said) == (0, "")
    assert "# 17 events were lost: they were not read in time\n" in output
    assert re.search(r"start +took  0 +1000000\.0 s\n", output)  # no more, whatever is said


def test_many_events_are_bounded():
    events = [event(n / 100, "start", attempt=n, endpoint=endpoint(FOUR, 443))
              for n in range(5000)]
    code, output, said = draw([*events, connected_to(FOUR, 100)])
    assert (code, said) == (0, "")
    assert output.count("192.0.2.80 port 443  running") == 4096
    assert "# 904 events were lost: they were not read in time\n" in output


def test_times_without_any_length():
    code, output, _ = draw([answered(0, "A"), connected_to(FOUR, 0)])
    assert code == 0
    assert "|-\n" in output


# A daemon that tells nothing before the end


def test_an_older_daemon_has_the_attempts_in_its_reply():
    reply = connected_to(FOUR, 284.7, attempts=[
        attempt(SIX, 12.5, 272.1, "cancelled"),
        attempt(OTHER, 262.5, 1.1, "failed", error="ECONNREFUSED"),
        attempt(FOUR, 263.6, 21, "connected")])
    assert draw({**reply, "attemptsOmitted": 3})[1] == f"""\
{NAME}: connected to {FOUR} port 443 from 192.0.2.99 port 40112
                                           start      took  0           284.7 ms
   resolve                              0.000 ms   12.4 ms  |-
   2001:db8::80 port 443  cancelled      12.5 ms  272.1 ms  |==================
   192.0.2.81 port 443    ECONNREFUSED  262.5 ms    1.1 ms  |                 x
*  192.0.2.80 port 443    connected     263.6 ms   21.0 ms  |                 #
   total                                          284.7 ms
# and 3 attempts more
"""


# Failures


REFUSED = error(wire.CONNECT_FAILED, errno="ECONNREFUSED", attemptsOmitted=0,
                attempts=[attempt(FOUR, 12.5, 1.1, "failed", error="ECONNREFUSED")])


@pytest.mark.parametrize("events", [
    [], [answered(12.4, "A", 12.1), started(12.5, 0, FOUR),
         ended(13.6, 0, FOUR, "failed", error="ECONNREFUSED")]], ids=["older", "told"])
def test_what_failed_is_drawn_too(events):
    code, output, said = draw([*events, REFUSED])
    assert (code, output) == (5, "")
    assert re.search(r"^192\.0\.2\.80 port 443  ECONNREFUSED +12\.5 ms +1\.1 ms  \| +=+x$", said,
                     re.M)
    assert (f"\n{NAME} A " in said) == bool(events)
    assert said.count("192.0.2.80") == 1
    assert "asockctl: connect www.example.org port 443: no address could be connected: " in said


def test_names_that_are_not_there_are_drawn_too():
    gone = error(wire.RESOLVER + ".NameNotFound", name=NAME, server=NS)
    code, output, said = draw([answered(12.4, "A", 12.1, outcome="nameNotFound"), gone])
    assert (code, output) == (2, "")
    assert f"\n{NAME} A  name not found  " in said
    assert said.endswith("asockctl: connect www.example.org port 443: the name does not exist\n"
                         f"  the name server that answered: {NS}\n  name {NAME}\n")


def test_what_has_nothing_to_show_is_told_in_words_alone():
    code, output, said = draw(error(wire.DENIED, stage="name"))
    assert (code, output) == (8, "")
    assert "start" not in said
    assert said.startswith("asockctl: connect www.example.org port 443: the policy does not allow")


def test_a_connection_without_descriptor_is_none():
    reply = connected_to(FOUR, 10)
    del reply["fileDescriptor"]
    code, output, said = draw([*RACE[:-1], reply])
    assert (code, output) == (5, "")
    assert "does not answer as asockd does" in said


def test_a_daemon_that_hangs_up_within():
    with FakeDaemon({wire.CONNECT: lambda _: None}) as daemon:
        code, output, said = run(daemon, *PROBE)
    assert (code, output) == (7, "")
    assert "ECONNRESET" in said


# JSON


def test_json_is_an_object_a_line_the_reply_last():
    code, output, said = draw(RACE, "--json")
    assert (code, said) == (0, "")
    assert [json.loads(line) for line in output.splitlines()] == RACE
    code, output, said = draw([RACE[0], REFUSED], "--json")
    assert (code, said) == (5, "")
    assert [json.loads(line) for line in output.splitlines()] == [RACE[0], REFUSED]


# The terminal


def test_colours_are_for_terminals():
    with FakeDaemon({wire.CONNECT: RACE}) as daemon:
        wide = {"COLUMNS": "80"}
        coloured = on_a_terminal(daemon, *PROBE, environment=wide)
        assert re.sub("\033\\[[0-9]*m", "", coloured) == PICTURE
        assert re.search(r"^\033\[32m\*  192\.0\.2\.80 port 443  .*\033\[0m$", coloured, re.M)
        assert re.search(r"^\033\[31m   192\.0\.2\.81 port 443  .*\033\[0m$", coloured, re.M)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert on_a_terminal(daemon, *PROBE, environment={**wide, **environment}) == PICTURE


HOSTILE = "\x1b[31m\x07\nFAKE\x7f\u009b\t"


def poison(value, keep=("kind", "family")):
    """The same with this in place of every text but those that decide what is drawn."""
    if isinstance(value, dict):
        return {name: inner if name in keep else poison(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [poison(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("columns", ["50", "300"])
def test_control_characters_are_escaped(option, columns):
    told = [poison(reply) for reply in (*RACE[:-1], *HELD)]
    code, output, said = draw(told, *option, environment={"COLUMNS": columns})
    assert (code, said) == (0, "")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", output)
    assert "\nFAKE" not in output
    if option:
        assert [json.loads(line) for line in output.splitlines()] == told
    else:
        assert output.count(r"\027[31m\007\010FAKE\127\194\155\009") > 10


def test_lines_do_not_end_in_blanks():
    for columns in ("50", "80", "200"):
        assert not re.search("[ \t]\n", draw(RACE, environment={"COLUMNS": columns})[1])


# The real daemon


def test_a_real_race_is_drawn(start, greeter):
    daemon = start(hosts="127.0.0.1 here.test\n")
    code, output, said = run(daemon, "connect", "--probe", "here.test", str(greeter.port))
    assert (code, said) == (0, "")
    assert re.search(rf"^\*  127\.0\.0\.1 port {greeter.port}  connected ", output, re.M)
    assert not re.search("[ \t]\n", output)


def test_a_real_failure_is_drawn(start):
    daemon = start(hosts="127.0.0.1 here.test\n::1 here.test\n")
    port = closed_port()
    code, output, said = run(daemon, "connect", "--probe", "here.test", str(port))
    assert (code, output) == (5, "")
    assert len(re.findall(rf" port {port} +ECONNREFUSED .* \|.*x$", said, re.M)) == 2


def test_real_events_are_as_described(start, greeter):
    described = Interface((source_dir() / "protocol/org.asockd.Connector.varlink").read_text())
    daemon = start(hosts="127.0.0.1 here.test\n::1 here.test\n")
    output = run(daemon, "--json", "connect", "--probe", "here.test", str(greeter.port))[1]
    *events, reply = [json.loads(line) for line in output.splitlines()]
    described.check(reply, described.methods["Connect"][1], "reply")
    for told in events:
        described.check(told["event"], ("name", "TraceEvent"), "event")
    assert [told["event"]["atUsec"] for told in events] == sorted(
        told["event"]["atUsec"] for told in events)


def test_what_a_real_race_has_taught_is_shown_and_forgotten(start, greeter):
    daemon = start(hosts="127.0.0.1 here.test\n::1 here.test\n")
    host = ["here.test", str(greeter.port)]
    assert run(daemon, "connect", "--probe", *host)[0] == 0
    output = run(daemon, "history")[1]
    assert re.search(rf"^127\.0\.0\.1 +{greeter.port}  [0-9a-f]{{6}} +[0-9.]+ ms +[0-9.]+ ms  good  "
                     r" +1 +0  \d+ m?s ago$", output, re.M)
    # The kernel may know a round trip of it, from somebody else.
    assert re.search(rf"^::1 +{greeter.port}  [0-9a-f]{{6}} .* dead for \d+ ms, ECONNREFUSED, "
                     r"next probe in \d+ s  +0 +1$", output, re.M)
    assert output.endswith("# 2 of 2 destinations; there is room for 65536\n")
    assert run(daemon, "history", "::*")[1].endswith("\n# 1 of 2 destinations; there is room for "
                                                      "65536\n")
    # So the dead one comes last for explain, too.
    assert re.search(r"^2  ::1 port .*  dead$", run(daemon, "explain", *host)[1], re.M)
    assert run(daemon, "flush", "--history") == (0, "2 forgotten\n", "")
    assert run(daemon, "history")[1] == "# 0 of 0 destinations; there is room for 65536\n"


def test_a_daemon_that_learns_nothing_says_so(start):
    daemon = start("[Connect]\nHistory=off\n")
    assert run(daemon, "history") == (0, "# nothing is learnt: History=off\n", "")
    assert run(daemon, "flush", "--history") == (0, "0 forgotten\n", "")
