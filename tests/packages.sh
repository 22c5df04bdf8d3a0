# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# Sourced by try and check: Debian packages that are missing are installed by root and named for everyone else.

# install_packages "NAME…"
install_packages() {
	command -v dpkg-query > /dev/null || {
		echo 'no Debian system: what is needed has to be there already' >&2
		return 0
	}
	missing=
	for package in $1; do
		dpkg-query -W -f '${Status}\n' "$package" 2> /dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing packages; as root: apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
	echo "installing$missing"
	output=$(mktemp)
	# A name server that a test needs is not to serve this machine.
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		policy=
	else
		printf '#!/bin/sh\nexit 101\n' > $policy
		chmod 755 $policy
	fi
	status=0
	# shellcheck disable=SC2086 # words
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } \
		> "$output" 2>&1 < /dev/null || status=$?
	[ -z "$policy" ] || rm -f $policy
	[ $status -eq 0 ] || cat "$output"
	rm -f "$output"
	[ $status -eq 0 ] || exit 1
}
