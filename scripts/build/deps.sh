#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deps.sh [LIST...]: installs those packages of the lists (scripts/build/packages.txt if none
# is given) that are missing, with apt-get. Does and says nothing where all are there.

. "$(dirname "$0")/../lib.sh"

BASE=${BASE:-}
LISTS=("$@")
(($#)) || LISTS=("$SCRIPTS/build/packages.txt")

wanted() {
	sed -e 's/#.*//' "${LISTS[@]}" | awk 'NF { print $1 }' |
		grep -vxF -e "${BASE:+linux-source-6.12}" -e ''
}

missing() {
	local package

	while IFS= read -r package; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			echo "$package"
	done < <(wanted)
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		sudo "$@"
	fi
}

# apt_get ARGS...: in the foreground, since sudo may have to ask
apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

update() {
	say "updating the lists of packages"
	apt_get update >>"$log" 2>&1 || warn "note: apt-get update had errors (log: $(rel "$log"))"
}

satisfy() {
	local rc=0

	if ((EUID != 0)); then
		sudo -v
	fi
	start_heartbeat "installing" "$log"
	apt_get satisfy --no-install-recommends "$(printf '%s, ' "${packages[@]}")" >>"$log" 2>&1 || rc=$?
	stop_heartbeat
	clear_line
	return $rc
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die "this is no Debian system: cannot install packages" \
	    "install what $(rel "${LISTS[*]}") lists, by hand, and set SKIP_DEPS=1"
fi
mapfile -t packages < <(missing)
((${#packages[@]})) || exit 0

prepare_build
say "these packages are missing: ${packages[*]}"
if ((EUID != 0)) && ! command -v sudo >/dev/null; then
	die "only root can install packages, and there is no sudo" \
	    "as root: apt-get install --no-install-recommends ${packages[*]}"
fi
log=$LOGS/deps
: >"$log"
rc=0
# If it fails, the lists may be older than the archive, or there are none
satisfy || {
	update
	satisfy || rc=$?
}
if ((rc)); then
	HINT="is the Debian archive reachable? linux-source-6.12 is in Debian 13, and in the security and updates suites of Debian 12: are they in /etc/apt/sources.list*?"
	step_failed "apt-get satisfy" "$log" "$rc"
	exit "$rc"
fi
say "installed: ${packages[*]}"
