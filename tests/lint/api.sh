#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One list in three places: what asock.h declares, what libasock.sym exports, what the built library has.
# Takes builddir and srcdir from the environment; without a built library there is nothing to compare (exit 77).
set -eu
builddir=${builddir:-.}
srcdir=${srcdir:-.}
library=$builddir/.libs/libasock.so

if ! [ -e "$library" ]; then
	echo "api: $library is not built, so there is nothing to compare"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prototypes end in ");" once comments and preprocessor lines are gone; each has one name before its first bracket.
# shellcheck disable=SC2086 # CC may be a command and its options
${CC:-cc} -E -P -x c "$srcdir/client-lib/asock.h" |
	tr '\n' ' ' | tr ';{}' '[\n*]' |
	sed -n 's/^[^()]*[ *]\(asock_[a-z0-9_]*\)(.*) *$/\1/p' | sort > "$work/asock.h"

sed -n 's/^[[:space:]]*\(asock_[a-z0-9_]*\);$/\1/p' "$srcdir/client-lib/libasock.sym" | sort > "$work/libasock.sym"

# Everything the library defines for others, not only what looks like ours; "A" is the version's own symbol.
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort > "$work/libasock.so"

status=0
if ! [ -s "$work/asock.h" ]; then
	echo "api: no prototype was found in client-lib/asock.h"
	status=1
fi
for other in libasock.sym libasock.so; do
	if ! diff -u "$work/asock.h" "$work/$other" > "$work/diff"; then
		echo "api: asock.h and $other are not the same list:"
		sed -n '4,$p' "$work/diff" | grep '^[+-]'
		status=1
	fi
done
exit $status
