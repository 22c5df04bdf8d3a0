#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a machine can say about the text of the sources: layout, SPDX lines, functions that have no place here, man pages,
# scripts. A tool that is missing is named and its part left out; with ASOCKD_REQUIRE_RIG=1 that is a failure.
set -u
cd "${srcdir:-.}" || exit 1
status=0

complain() {
	echo "$1"
	status=1
}

have() {
	command -v "$1" > /dev/null && return 0
	echo "left out: there is no $1 here"
	[ "${ASOCKD_REQUIRE_RIG:-0}" = 0 ] || status=1
	return 1
}

# Everything that is or will be under version control; in a tarball, everything.
list() {
	if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		for pattern in "$@"; do
			find . -path './build*' -prune -o -name "$pattern" -print | sed 's|^\./||'
		done
	fi | sort -u | grep -vE '(^|/)config\.h$|^build-aux/' | while read -r file; do [ -f "$file" ] && echo "$file"; done
}

sources=$(list '*.c' '*.h')
scripts="try check .ci/run tests/run tests/systemd/sdboot $(list '*.sh')"
own=$(list '*.am' '*.ac' '*asock-flags.m4' '*.py' '*.def' '*.service.in')

if have clang-format; then
	# shellcheck disable=SC2086 # names without blanks
	clang-format --dry-run -Werror $sources || complain 'layout: see make format'
fi

for file in $sources $own $scripts; do
	[ -f "$file" ] || continue
	case $file in Makefile.in | config.h.in | */Makefile.in) continue ;; esac
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || complain "$file: no SPDX-License-Identifier: MIT on top"
done

# ban REASON FUNCTIONS FILES…: comments and longer names do not count.
ban() {
	reason=$1 functions=$2
	shift 2
	found=$(grep -nE "(^|[^A-Za-z0-9_\"])($functions) *\\(" "$@" /dev/null | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)')
	[ -z "$found" ] || complain "$reason
$found"
}
# shellcheck disable=SC2046,SC2086 # names without blanks
{
	ban 'copies without a bound, or cuts in silence:' 'strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets' $sources
	ban 'numbers are parsed by protocol/text:' 'atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|sscanf' $sources
	ban 'depends on the locale:' 'strcasecmp|strncasecmp|isalpha|isdigit|isalnum|isspace|isupper|islower|tolower|toupper' $sources
	ban 'cannot be cancelled:' 'event_base_once' $sources
	ban 'descriptors are duplicated close-on-exec:' 'dup' $(echo "$sources" | grep -v '^tests/')
	# At start-up daemon/daemon may wait for a group's name.
	ban 'blocks the loop:' 'gethostbyname|gethostbyaddr|getaddrinfo|getnameinfo|getpwnam|getpwuid|getgrnam|getservbyname' \
		$(echo "$sources" | grep '^daemon/' | grep -v '^daemon/daemon')
	ban 'blocks, or has a resolver of its own:' 'ldns_resolver_[a-z_]*|ldns_send[a-z_]*|evdns_[a-z_]*|bufferevent_[a-z_]*' \
		$(echo "$sources" | grep '^daemon/')
}

pages=$(list '*.[1-8]' | grep '^doc/')
if [ -n "$pages" ] && have mandoc; then
	# shellcheck disable=SC2086
	mandoc -T lint -W warning $pages || complain 'man pages'
fi

if have shellcheck; then
	for file in $scripts; do
		[ ! -f "$file" ] || shellcheck -x "$file" || status=1
	done
fi
exit $status
