#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each header compiles alone, with no more than config.h before it; asock.h also as strict C99 and as C++, where config.h
# is not there.
set -u
top=$(cd "${srcdir:-.}" && pwd) || exit 1
config=$PWD/config.h
cc=${CC:-cc}
status=0

[ -f "$config" ] || { echo 'run it in a build directory, as make check does'; exit 1; }
warnings='-Wall -Wextra -Wshadow -Wconversion -Wundef -Wstrict-prototypes -Werror'
cd "$top" || exit 1
for header in $(find protocol daemon client-lib tests -name '*.h' | sort); do
	# shellcheck disable=SC2086 # words
	echo "#include \"$header\"" |
		$cc -std=gnu11 $warnings -include "$config" -I. -Iclient-lib ${LIBS_CFLAGS:-} -fsyntax-only -x c - || {
		echo "$header does not compile alone"
		status=1
	}
done

printf '%s\n' '#include <asock.h>' 'int main(void) { return asock_strerror(-1) == 0; }' > "${config%/*}/headers-test.c"
trap 'rm -f "${config%/*}/headers-test.c"' EXIT
for language in 'c -std=c99' 'c++ -std=c++98' 'c++ -std=c++17'; do
	# shellcheck disable=SC2086
	if ! $cc -x $language -fsyntax-only /dev/null 2> /dev/null; then
		echo "left out: $cc does not know -x $language"
		[ "${ASOCKD_REQUIRE_RIG:-0}" = 0 ] || status=1
		continue
	fi
	# shellcheck disable=SC2086
	$cc -x $language -pedantic-errors -Wall -Wextra -Wshadow -Werror -Iclient-lib -fsyntax-only \
		"${config%/*}/headers-test.c" || {
		echo "asock.h is not clean as $language"
		status=1
	}
done
exit $status
