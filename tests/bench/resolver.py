#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the matrix of the resolver: each scenario, its bound, and what was measured.

ASOCK_BUILD names the build directory, in which tests/scenarios/upstream has been built. The
scenarios are those of tests/scenarios/matrix.py. It ends with 1 when a bound does not hold.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "scenarios"))

FORMAT = "{:57} {:32} {:>9} {:>9} {:>9}  {}"


def figure(value, unit):
    """A number as the table has it."""
    text = f"{value:.1f}" if unit else f"{value:g}"
    return f"{text} {unit}".strip()


def line_of(row, part, good):
    """One part as data."""
    return {"scenario": row.name, "text": row.text, "part": part.part, "bound": part.bound,
            "unit": part.unit, "median": round(statistics.median(part.values), 3),
            "best": round(min(part.values), 3), "worst": round(max(part.values), 3),
            "runs": len(part.values), "ok": good}


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON for each figure")
    parser.add_argument("scenario", nargs="*", help="only these, by name")
    arguments = parser.parse_args()
    os.environ.setdefault("ASOCK_BUILD", str(TOP / "build-check" / "gcc"))
    # What needs ASOCK_BUILD is imported when it is set.
    from matrix import SCENARIOS, holds, measure  # pylint: disable=import-outside-toplevel
    unknown = set(arguments.scenario) - {row.name for row in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are: "
                     + ", ".join(row.name for row in SCENARIOS))
    failed = False
    if not arguments.json:
        print(FORMAT.format("scenario", "what", "bound", "median", "worst", "verdict"))
    for row, parts, error in measure(arguments.scenario):
        if error:
            failed = True
            print(json.dumps({"scenario": row.name, "text": row.text, "error": error, "ok": False})
                  if arguments.json else f"{row.text:57} {error}", flush=True)
        for part in parts:
            good = holds(part)
            failed = failed or not good
            line = line_of(row, part, good)
            print(json.dumps(line) if arguments.json else FORMAT.format(
                row.text, part.part, figure(part.bound, part.unit),
                figure(line["median"], part.unit), figure(line["worst"], part.unit),
                "ok" if good else "FAILS"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
