# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Kernels that Debian has built.

use build/debian-suites

# newest_first REGEX: names of packages that match, by version
newest_first() {
	suites_packages "$1" | sed 's/^\([a-z-]*\)\(.*\)/\2 \1/' | sort -rV | awk '{ print $2 $1 }'
}

kernel_packages() {
	newest_first "linux-(image|binary)-${1//./\\.}\\.[0-9][^ ]*-cloud-amd64"
}

newest_generation() {
	newest_first 'linux-(image|binary)-[0-9]+\.[0-9]+\.[0-9][^ ]*-cloud-amd64' |
		sed -n '1s/^[a-z-]*\([0-9]*\.[0-9]*\).*/\1/p'
}

# debian_kernel GENERATION: Debian's newest kernel of it that can be had, '6.17' or so; sets
# KERNEL_VERSION and KERNEL_FILE
debian_kernel() {
	local package dir work=$SUITES/kernel.tmp.$$

	for package in $(kernel_packages "$1"); do
		KERNEL_VERSION=${package#linux-*-}
		KERNEL_VERSION=${KERNEL_VERSION%-cloud-amd64}
		dir=$SUITES/kernels/$KERNEL_VERSION
		KERNEL_FILE=$dir/vmlinuz
		if [[ ! -f $dir/vmlinuz ]]; then
			rm_at_exit "$work"
			rm -rf "$work"
			say "fetching $package"
			suites_deb "$package" "$work" || continue
			mkdir -p "$dir"
			find "$work" -name 'vmlinuz*' -type f -exec mv {} "$dir/vmlinuz" \;
			rm -rf "$work"
		fi
		[[ ! -f $dir/vmlinuz ]] || return 0
	done
	return 1
}
