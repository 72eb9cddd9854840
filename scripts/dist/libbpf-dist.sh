#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/dist/libbpf-VERSION-bpfstreams-VERSION.tar.xz: libbpf of the composed tree as a
# source tarball of its own, with src/ and include/ as libbpf's own releases have them.
# The library's files are the tree's; the Makefile and the few helpers that it takes from
# the kernel's tools/include are those of dist/libbpf/, under libbpf's own licences.

. "$(dirname "$0")/../lib.sh"
use series/lib dist/reproducible

LIBBPF=$LINUX/tools/lib/bpf
UAPI=$LINUX/tools/include/uapi/linux
WORK=$BUILD/libbpf-dist.tmp.$$
OUT=$BUILD/dist
# Headers of the kernel's that libbpf's include and the system may have too old
UAPI_HEADERS=(bpf_common.h bpf.h btf.h if_link.h if_xdp.h netdev.h netlink.h perf_event.h
	      pkt_cls.h pkt_sched.h)

# Either libbpf's own or, for interfaces, the kernel's with its exception
LICENCES='\(?(LGPL-2\.1 OR BSD-2-Clause|BSD-2-Clause OR LGPL-2\.1|\(?GPL-2\.0(-only|-or-later|\+)? WITH Linux-syscall-note)'

libbpf_version() {
	sed -n 's/^LIBBPF_\([0-9.]*\) .*/\1/p' "$LIBBPF/libbpf.map" | sort -V | tail -n 1
}

# Those that libbpf's own Makefile installs
installed_headers() {
	sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$LIBBPF/Makefile" |
		sed -n 's/^SRC_HDRS := //p' | xargs
}

sources() {
	local dir=$1 header

	mkdir -p "$dir"/{src,include/uapi/linux}
	cp "$LIBBPF"/*.[ch] "$LIBBPF"/libbpf.map "$LIBBPF"/libbpf.pc.template "$dir/src/"
	cp -r "$REPO/dist/libbpf/." "$dir/"
	sed "s/@HEADERS@/$(installed_headers) bpf_helper_defs.h/" \
		"$REPO/dist/libbpf/src/Makefile" >"$dir/src/Makefile"
	for header in "${UAPI_HEADERS[@]}"; do
		[[ ! -f $UAPI/$header ]] || cp "$UAPI/$header" "$dir/include/uapi/linux/"
	done
	python3 "$LINUX/scripts/bpf_doc.py" --header --file "$UAPI/bpf.h" >"$dir/src/bpf_helper_defs.h"
	cp "$LINUX/LICENSES/preferred/LGPL-2.1" "$dir/LICENSE.LGPL-2.1"
	cp "$LINUX/LICENSES/preferred/BSD-2-Clause" "$dir/LICENSE.BSD-2-Clause"
	check_licences "$dir"
}

# GPL alone would bind whoever links the library
check_licences() {
	local bad

	bad=$(find "$1/src" "$1/include" -name '*.[ch]' ! -name bpf_helper_defs.h -exec \
		grep -L -E -e "SPDX-License-Identifier: $LICENCES" {} +)
	[[ -z $bad ]] || die "these files may not go under libbpf's licences: $(xargs <<<"$bad")"
}

need_tree
need python3 xz tar
prepare_build
lock libbpf-dist
version=$(release_version)
name=libbpf-$(libbpf_version)-bpfstreams-$version
rm_at_exit "$WORK"
mkdir -p "$WORK" "$OUT"
HINT=
step "gathering libbpf's sources" "$LOGS/libbpf-dist" sources "$WORK/$name"
rm -f "$OUT"/libbpf-*.tar.xz
pack "$WORK/$name" "$OUT/$name.tar.xz"
say "$(rel "$OUT")/$name.tar.xz is made"
