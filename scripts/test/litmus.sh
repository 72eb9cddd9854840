#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make litmus: tools/testing/bpf_streams/litmus of the composed tree. Debian 12 has no
# herd7: unless $HERD7 or the path has one, that of another suite is fetched, with the
# C library that it was built for.

. "$(dirname "$0")/../lib.sh"
use series/lib build/debian-suites
SAY_FD=2

HERD=$SUITES/herd7

fetch_herd() {
	local package version

	suites_update
	for package in herdtools7 libc6 libgmp10; do
		version=$(suites_versions binary "$package" | tail -n 1)
		[[ -n $version ]] || die "no suite of Debian has $package" "say where herd7 is: make litmus HERD7=path"
		say "fetching $package $version"
		suites_deb "$package=$version" "$HERD.tmp" ||
			die "cannot fetch $package (log: $(rel "$LOGS/suites-fetch"))"
	done
	mv -T "$HERD.tmp" "$HERD"
}

find_herd() {
	local lib=$HERD/usr/lib/x86_64-linux-gnu

	[[ -z ${HERD7:-} ]] || return 0
	if command -v herd7 >/dev/null; then
		HERD7=herd7
		return
	fi
	[[ -d $HERD ]] || fetch_herd
	HERD7="$lib/ld-linux-x86-64.so.2 --library-path $lib $HERD/usr/bin/herd7 -set-libdir $HERD/usr/share/herdtools7/herd"
}

need_tree
prepare_build
lock litmus
rm -rf "$HERD.tmp"
find_herd
HERD7=$HERD7 child make -s -C "$LINUX/tools/testing/bpf_streams" litmus
