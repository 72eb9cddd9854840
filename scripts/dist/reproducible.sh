# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What makes releases reproducible.

# The version of the whole, as CHANGELOG.md explains it
release_version() {
	local version

	version=$(cat "$REPO/VERSION")
	[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "VERSION is not like 1.2.3 but '$version'"
	grep -q -F -e "## $version" "$REPO/CHANGELOG.md" ||
		die "CHANGELOG.md does not tell of version $version"
	echo "$version"
}

# The time that releases carry: that of the last commit, or $SOURCE_DATE_EPOCH
release_time() {
	local time

	time=$(git -c safe.directory='*' -C "$REPO" log -1 --format=%ct 2>/dev/null) || :
	echo "${SOURCE_DATE_EPOCH:-${time:-$(date +%s)}}"
}

# pack DIR FILE.tar.xz: the folder, under its own name, the same to the bit from the same
# files: no names, owners, times, or number of CPUs of the machine
pack() {
	tar -C "$(dirname "$1")" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --mtime="@$(release_time)" -cf - "$(basename "$1")" |
		xz -T1 -6 | put "$2"
}
