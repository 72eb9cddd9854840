#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian packages of the kernel with the series, by the kernel's own target bindeb-pkg:
# build/deb/linux-image-VERSION-bpfstreams_*.deb and linux-headers-...
#
#   CONFIG=file deb.sh     that configuration
#   deb.sh                 the running kernel's if that is a 6.12, else Debian's own
#                          (package linux-config-6.12)
#   deb.sh NAME            into build/NAME/, by build/kernel-NAME, in place of deb
#
# What $CONFIG does not say takes its default, as in "make olddefconfig"; streams, and
# what they need, are switched on.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/debian-suites dist/reproducible

CONFIG=${CONFIG:-}
NAME=${1:-deb}
OUT=$BUILD/$NAME
# As deep as the other kernels: ccache takes their objects
KERNEL_OUT=$BUILD/kernel-$NAME
SUFFIX=-bpfstreams
# The image alone: neither symbols for debuggers (gigabytes) nor linux-libc-dev
PROFILES=pkg.linux-upstream.nokerneldbg
CONFIG_PACKAGE=linux-config-6.12

# Debian's configuration of its plain amd64 kernel
debian_config() {
	local dir=$BUILD/deb.tmp.$$ file

	rm_at_exit "$dir"
	suites_update
	step "fetching $CONFIG_PACKAGE" "$LOGS/suites-fetch" suites_deb "$CONFIG_PACKAGE" "$dir" ||
		die "cannot fetch Debian's configuration" "name one: make deb CONFIG=/boot/config-..."
	file=$(find "$dir" -name 'config.amd64_none_amd64.xz')
	[[ -n $file ]] || die "$CONFIG_PACKAGE holds no configuration for amd64" \
		"name one: make deb CONFIG=/boot/config-..."
	xz -dc "$file" | put "$OUT/debian.config"
	rm -rf "$dir"
}

choose_config() {
	if [[ -n $CONFIG ]]; then
		[[ -f $CONFIG ]] || die "there is no $CONFIG"
	elif [[ $(uname -r) == 6.12.* && -f /boot/config-$(uname -r) ]]; then
		CONFIG=/boot/config-$(uname -r)
	else
		debian_config
		CONFIG=$OUT/debian.config
	fi
	grep -q '^CONFIG_[A-Z0-9_]*=' "$CONFIG" || die "$CONFIG is no configuration of a kernel"
	say "configuration: $(rel "$CONFIG")"
}

set_option() {
	"$LINUX/scripts/config" --file "$KERNEL_OUT/.config" "$@"
}

configure() {
	local key

	put "$KERNEL_OUT/.config" <"$CONFIG"
	set_option -e BPF_SYSCALL -e BPF_STREAMS
	# A distribution's keys and certificates are in its own source package alone
	key=$(set_option --state SYSTEM_TRUSTED_KEYS)
	if [[ $key == */* && ! -e $LINUX/$key ]]; then
		set_option --set-str SYSTEM_TRUSTED_KEYS ''
	fi
	kmake "$KERNEL_OUT" olddefconfig
}

check_config() {
	local option

	grep -qx 'CONFIG_BPF_STREAMS=y' "$KERNEL_OUT/.config" ||
		die "CONFIG_BPF_STREAMS does not make it into the configuration" \
		    "CONFIG_BPF_SYSCALL must be possible; see $(rel "$KERNEL_OUT")/.config"
	for option in BPF_JIT DEBUG_INFO_BTF; do
		grep -qx "CONFIG_$option=y" "$KERNEL_OUT/.config" ||
			warn "note: CONFIG_$option is off: programs that print need BTF, and run slowly without a JIT"
	done
}

package() {
	local release

	release=$(make -s -C "$LINUX" kernelversion)
	DEBFULLNAME='BPF Streams Developers' DEBEMAIL=bpf-streams@localhost \
	KDEB_PKGVERSION=$release-$(release_version) KDEB_CHANGELOG_DIST=unstable \
		kmake "$KERNEL_OUT" -j"$JOBS" LOCALVERSION="$SUFFIX" DPKG_FLAGS="-P$PROFILES" bindeb-pkg
}

need_tree
need dpkg-buildpackage dh_prep gcc make flex bison bc pahole xz
prepare_build
lock deb
mkdir -p "$OUT" "$KERNEL_OUT"
choose_config
step "configuring" "$LOGS/$NAME-config" configure
check_config
# The target leaves them beside the folder that it builds in
rm -f "$OUT"/*.deb "$BUILD"/linux-*.deb "$BUILD"/linux-upstream_*
step "building the packages" "$LOGS/$NAME" package
rm -f "$BUILD"/linux-libc-dev_*.deb "$BUILD"/linux-upstream_*
mv "$BUILD"/linux-*.deb "$OUT/"
for deb in "$OUT"/linux-image-*"$SUFFIX"_*.deb; do
	[[ -f $deb ]] || die "there is no image package (log: $(rel "$LOGS/$NAME"))"
done
say "built, in $(rel "$OUT")/: $(find "$OUT" -maxdepth 1 -name '*.deb' -printf '%f\n' | sort | xargs)"
say "to install them: sudo apt-get install ./$(rel "$OUT")/linux-*$SUFFIX*.deb"
