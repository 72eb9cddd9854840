#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs bpftool, with its man pages and completion, and libbpf below
# $DESTDIR$PREFIX (/usr/local if there is no $PREFIX).

# lib.sh forgets what must not reach the kernel's make
destdir=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}

. "$(dirname "$0")/../lib.sh"
use series/lib build/env

# Where this machine's compilers, loader and pkg-config look: lib64 or lib
libdir() {
	basename "$(gcc -print-multi-os-directory)"
}

# libbpf.pc has the folders of the last call
install_libbpf() {
	rm -f "$BUILD/obj/libbpf/libbpf.pc"
	tmake tools/lib/bpf OUTPUT="$BUILD/obj/libbpf/" DESTDIR="$destdir" prefix="$prefix" \
		libdir_relative="$(libdir)" install
	rm -f "$BUILD/obj/libbpf/libbpf.pc"
	if [[ -z $destdir ]] && ((EUID == 0)); then
		ldconfig
	fi
}

install_bpftool() {
	install -D -m 755 "$BUILD/tools/bpftool" "$destdir$prefix/sbin/bpftool"
	install -D -m 644 "$LINUX/tools/bpf/bpftool/bash-completion/bpftool" \
		"$destdir$prefix/share/bash-completion/completions/bpftool"
}

install_man_pages() {
	local man="$BUILD/docs/man"

	mkdir -p "$man"
	tmake tools/bpf/bpftool/Documentation OUTPUT="$man/" RST2MAN_OPTS=--strict
	install -d "$destdir$prefix/share/man/man8"
	find "$man" -name '*.8' -exec install -m 644 {} "$destdir$prefix/share/man/man8/" \;
}

[[ $prefix == /* ]] || die "PREFIX must be an absolute path, not '$prefix'"
[[ -z $destdir || $destdir == /* ]] || destdir=$PWD/$destdir
[[ -x $BUILD/tools/bpftool ]] || die "there is no bpftool" "run: make bpftool"
need gcc make rst2man
prepare_build
if ! mkdir -p "$destdir$prefix" 2>/dev/null || [[ ! -w $destdir$prefix ]]; then
	die "cannot write to $destdir$prefix" "run it as root, or name another place: DESTDIR=... PREFIX=..."
fi
lock install-tools
step "installing libbpf" "$LOGS/install-libbpf" install_libbpf
step "installing bpftool" "$LOGS/install-bpftool" install_bpftool
step "installing man pages" "$LOGS/install-man" install_man_pages
say "installed in $destdir$prefix: sbin/bpftool, $(libdir)/libbpf.*, include/bpf/, share/"
