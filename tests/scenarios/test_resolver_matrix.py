# SPDX-License-Identifier: MIT
"""The matrix of the resolver, asserted: the scenarios and their bounds are in matrix.py, and
tests/bench/resolver.py prints the same as a table."""

import pytest

from matrix import SCENARIOS, holds


@pytest.mark.parametrize("row", SCENARIOS, ids=[row.name for row in SCENARIOS])
def test_bounds_hold(row):
    for part in row.run():
        assert holds(part), f"{part.part}: at most {part.bound} {part.unit}, not {part.values}"
