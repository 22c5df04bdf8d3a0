#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the tables of races: what asockd needs where addresses or name servers are dead, slow or wrong,
for the first time (cold) and once more (warm), beside the goal and the best known figure.

ASOCK_BUILD names the build directory, in which tests/scenarios/tunwire and upstream have been built. It
needs root. The scenarios are those of tests/scenarios/racematrix.py, times are those of the wire. The
last line says how many figures miss their goal; it ends with 1 then.
"""

import argparse
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "scenarios"))
QUICK = ("base", "cad", "dead4of8", "same6", "rtt-order", "refused6", "rtt300", "half6-byte", "aaaa20",
         "aaaa200", "aaaa-lost", "a-lost")


class Report:
    """Prints tables and counts what misses its goal."""

    def __init__(self, matrix):
        self.matrix = matrix
        self.missed = []

    def mark(self, good, what, text):
        """A figure, with a star where it misses its goal."""
        if not good:
            self.missed.append(what)
        return text if good else f"{text} *"

    @staticmethod
    def table(title, heads, rows):
        """A table as the report has it."""
        print(f"\n### {title}\n")
        print("| " + " | ".join(heads) + " |")
        print("|" + "---|" * len(heads))
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)

    def figure(self, row, results, bounds, read, winners):
        """The median of a column and the addresses that won."""
        good = [result for result in results if result.connection is not None]
        if not good:
            return self.mark(False, row.head, results[0].error.rpartition(".")[2])
        middle = self.matrix.median([read(result) for result in good])
        won = "/".join(sorted({result.winner for result in good}))
        text = f"{middle:.1f} ({won})" if middle < 100 else f"{middle:.0f} ({won})"
        if bounds is None:
            return text
        fits = (len(good) == len(results) and bounds.low - 1 <= middle <= bounds.high
                and all(result.winner in winners.split() for result in good))
        return self.mark(fits, row.head, text)

    def columns(self, table, columns, found):
        """Tables 5.1 to 5.3."""
        columns = [row for row in columns if row.table == table]
        heads = ["asockd"] + [row.head for row in columns]
        cold, warm = ["cold"], ["warm"]
        for row in columns:
            pairs = found[row.scenario.name]
            cold.append(self.figure(row, [pair[0] for pair in pairs], row.cold, self.matrix.cold_ms,
                                    row.winner))
            warm.append(self.figure(row, [pair[1] for pair in pairs], row.warm, self.matrix.warm_ms,
                                    row.warm_winner))
        self.table(f"{table} {self.matrix.TABLES[table]}", heads, [
            cold, warm,
            ["goal"] + [f"≤ {row.cold.high:g}" + (f", {row.warm.high:g}" if row.warm else "")
                        for row in columns],
            ["best known"] + [row.best for row in columns]])

    def order(self, rig, daemon, quick):
        """Table 5.4."""
        seconds = 3 if quick else 12
        result = self.matrix.measure_order(rig, daemon, seconds * 1_000_000)
        fits = all(abs(gap - goal) < 3 for gap, goal in zip(result.gaps, self.matrix.GOAL_GAPS))
        row = ["cold", result.order,
               self.mark(fits and len(result.gaps) == 7, "gaps",
                         " ".join(f"{gap:.0f}" for gap in result.gaps)), str(len(result.syns()))]
        self.table(f"5.4 Order of attempts, 4 + 4 dead addresses, {seconds} s",
                   ["asockd", "order", "gaps", f"SYNs in {seconds} s"],
                   [row, ["goal", "", " ".join(f"{gap:.0f}" for gap in self.matrix.GOAL_GAPS), ""],
                    list(self.matrix.BEST_ORDER)])

    def accuracy(self, rig, daemon, runs):
        """Table 5.5."""
        matrix = self.matrix
        delays = matrix.attempt_delays(matrix.repeat(rig, daemon, "cad", runs))
        late = matrix.after_a(matrix.repeat(rig, daemon, "rd200", runs))
        base = matrix.repeat(rig, daemon, "base", runs)
        answered = matrix.after_aaaa(base)
        used = sum(result.winner == "6.1" for result in base)
        fits = (abs(matrix.median(delays) - 250) <= 0.5 and matrix.percentile(delays, 95) <= 251
                and matrix.deviation(delays) < 0.5)
        self.table(
            f"5.5 Accuracy ({runs} runs each)",
            ["asockd", "attempt delay: median, p5, p95, max, sd (ms)",
             "first SYN − A answer with AAAA 200 ms late: the same",
             "first SYN − AAAA answer: the same", "IPv6 used on a healthy dual-stack host"],
            [["cold", self.mark(fits, "attempt delay", matrix.spread(delays)),
              self.mark(50 <= matrix.median(late) <= 51, "resolution delay", matrix.spread(late)),
              self.mark(matrix.median(answered) <= 0.15 and matrix.percentile(answered, 95) <= 0.5,
                        "answer to SYN", matrix.spread(answered)),
              self.mark(used == runs, "IPv6 used", f"{used} of {runs}")],
             ["goal", "median 250 ± 0.5, p95 ≤ 251, sd < 0.5", "50 to 51", "≤ 0.15, p95 ≤ 0.5",
              "all"], list(matrix.BEST_ACCURACY)])

    def learning(self, rig, daemon):
        """Table 5.6."""
        matrix = self.matrix
        same = matrix.same_name(rig, daemon)
        each = [matrix.cold_ms(same[0])] + [matrix.warm_ms(result) for result in same[1:]]
        run, results = matrix.burst(rig, daemon)
        # The first call's, whose packets are those of all: the SYN may leave before the last one is made.
        dead = [syn for syn in results[0].read_wire().syns(True) if syn[1] == "6.1"]
        total = matrix.median([matrix.total_ms(result) for result in results])
        queries = len([packet for packet in run.packets() if packet.kind == "query"])
        self.table(
            "5.6 What is learned, what a burst costs (IPv6 dead, IPv4 alive)",
            ["asockd", "five connections to the same name (ms)",
             "20 at once: queries, SYNs to the dead address", "20 at once: median ms"],
            [["", self.mark(max(each[1:]) <= 2, "same name", " ".join(f"{ms:.1f}" for ms in each)),
              self.mark(queries <= 2 and len(dead) <= 2, "burst", f"{queries}, {len(dead)}"),
              self.mark(total <= 260, "burst time", f"{total:.0f}")],
             ["goal", "250, then ≤ 2", "2, ≤ 2", "≤ 260"], list(matrix.BEST_LEARNT)])

    def errors(self, rig, daemon):
        """Table 5.7."""
        with rig.connect_to(daemon) as client:
            result = rig.new_run("mixed").connect(client)
        told = [f"{label} {error}" for label, _, error in result.attempts()]
        headline = f"{result.error.rpartition('.')[2]} {result.reply.get('errno')}"
        self.table("5.7 Errors (RST, ICMP no route, prohibited, host unreachable, RST)",
                   ["asockd", "what the caller reads", "addresses named of 5"],
                   [["", f"{headline}: {', '.join(told)}",
                     self.mark(len(told) == 5, "errors", str(len(told)))],
                    ["goal", "each with its errno's name, and the most telling one", "5"],
                    list(self.matrix.BEST_ERRORS)])


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="some columns, fewer runs: half a minute")
    parser.add_argument("--runs", type=int, help="for the accuracy (30; 10 with --quick)")
    arguments = parser.parse_args()
    os.environ.setdefault("ASOCK_BUILD", str(TOP / "build-check" / "gcc"))
    # What needs ASOCK_BUILD is imported when it is set.
    import racematrix  # pylint: disable=import-outside-toplevel
    from racerig import RaceRig  # pylint: disable=import-outside-toplevel
    runs = arguments.runs or (10 if arguments.quick else 30)
    columns = [row for row in racematrix.COLUMNS if not arguments.quick or row.scenario.name in QUICK]
    report = Report(racematrix)
    print("asockd by the wire; * misses its goal")
    with RaceRig(racematrix.SCENARIOS) as rig, rig.daemon() as daemon:
        found = racematrix.measure(rig, daemon, columns, 1 if arguments.quick else 3, 2)
        for table in racematrix.TABLES:
            report.columns(table, columns, found)
        report.order(rig, daemon, arguments.quick)
        report.accuracy(rig, daemon, runs)
        report.learning(rig, daemon)
        report.errors(rig, daemon)
    print(f"\n{len(report.missed)} miss their goal" + "".join(f"; {what}" for what in report.missed))
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
