#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Includes go down the ranks only, and each foreign library has its one place; layers.txt says which. A module that is not
# listed there, or listed and gone, is a complaint too.
set -u
cd "${srcdir:-.}" || exit 1

find protocol daemon client-lib \( -name '*.c' -o -name '*.h' \) | sort | xargs grep -nE '^# *include ' /dev/null |
	awk -v rules=tests/lint/layers.txt '
	function module_of(file) {
		sub(/\.[ch]$/, "", file)
		return file
	}
	function folder_of(module) {
		sub(/\/.*$/, "", module)
		return module
	}
	function complain(text) {
		print text
		failed = 1
	}
	BEGIN {
		while ((getline line < rules) > 0) {
			if (line ~ /^#/ || line ~ /^[ \t]*$/)
				continue
			n = split(line, word)
			if (word[1] == "apart" || word[1] == "pair") {
				together[word[2], word[3]] = together[word[3], word[2]] = word[1]
				continue
			}
			if (word[1] == "library") {
				for (i = 3; i <= n; i++)
					place[word[2], i - 2] = word[i]
				places[word[2]] = n - 2
				continue
			}
			for (i = 2; i <= n; i++)
				rank[word[i]] = word[1] + 0
		}
		while (("find protocol daemon client-lib -name \"*.[ch]\"" | getline file) > 0)
			exists[module_of(file)] = 1
		for (module in exists)
			if (!(module in rank))
				complain(module ": has no rank in " rules)
		for (module in rank)
			if (!(module in exists))
				complain(module ": is listed in " rules " but does not exist")
	}
	{
		split($0, part, ":")
		from = module_of(part[1])
		where = part[1] ":" part[2]
		target = $0
		sub(/^[^:]*:[0-9]+:# *include +/, "", target)
		name = target
		sub(/^[<"]/, "", name)
		sub(/[>"].*$/, "", name)
		if (target ~ /^"/) {
			to = module_of(name)
			if (name ~ /\.(def|inc)$/ || to == from)
				next
			if (together[folder_of(from), folder_of(to)] == "apart")
				complain(where ": " from " and " to " are to know nothing of each other")
			if (together[from, to] == "pair")
				next
			if (!(to in rank))
				complain(where ": " name " is no path from the top, or has no rank")
			else if (rank[to] >= rank[from])
				complain(where ": " from " (rank " rank[from] ") includes " name " (rank " rank[to] ")")
			next
		}
		for (library in places) {
			if (index(name, library) != 1)
				continue
			allowed = 0
			for (i = 1; i <= places[library]; i++)
				if (index(from, place[library, i]) == 1)
					allowed = 1
			if (!allowed)
				complain(where ": <" name "> is not for this module")
		}
	}
	END { exit failed }'
