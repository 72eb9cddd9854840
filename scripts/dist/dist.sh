#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/dist/bpf-streams-VERSION: a release, with all that users need in one folder:
#
#   series/            the mails for git am
#   libbpf-*.tar.xz    libbpf as sources of its own
#   bpftool            for this machine's architecture; static where libelf can be
#   docs.tar.xz        Documentation/bpf as HTML, and bpftool's man pages
#   CHANGELOG.md, COPYING, SHA256SUMS
#
# The same commit gives the same files.

. "$(dirname "$0")/../lib.sh"
use dist/reproducible

OUT=$BUILD/dist
WORK=$BUILD/dist.tmp.$$

pack_docs() {
	local dir=$WORK/docs

	mkdir -p "$dir/man"
	cp -r "$BUILD/docs/Documentation/output/bpf" "$dir/html"
	cp -r "$BUILD/docs/Documentation/output/_static" "$dir/html/" 2>/dev/null || :
	# what Sphinx keeps for its next run
	rm -rf "$dir/html/.doctrees" "$dir/html/.buildinfo"
	find "$BUILD/docs/man" -name '*.8' -exec cp {} "$dir/man/" \;
	pack "$dir" "$RELEASE/docs.tar.xz"
}

checksums() {
	(cd "$RELEASE" && find . -type f | sed 's|^\./||' | sort |
		xargs -d '\n' sha256sum >"$WORK/SHA256SUMS")
	mv "$WORK/SHA256SUMS" "$RELEASE/"
}

need xz tar strip
prepare_build
lock dist
version=$(release_version)
[[ -x $BUILD/tools/bpftool ]] || die "there is no bpftool" "run: make bpftool"
if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
	SOURCE_DATE_EPOCH=$(release_time)
	export SOURCE_DATE_EPOCH
fi
child "$SCRIPTS/series/series.sh"
child "$SCRIPTS/dist/libbpf-dist.sh"
child "$SCRIPTS/build/docs.sh"
rm_at_exit "$WORK"
RELEASE=$WORK/bpf-streams-$version
mkdir -p "$RELEASE"
cp -r "$BUILD/series" "$RELEASE/series"
cp "$OUT"/libbpf-*.tar.xz "$REPO/CHANGELOG.md" "$REPO/COPYING" "$RELEASE/"
strip -o "$RELEASE/bpftool" "$BUILD/tools/bpftool"
step "packing the documentation" "$LOGS/dist" pack_docs
checksums
rm -rf "$OUT/bpf-streams-$version"
mv "$RELEASE" "$OUT/"
say "$(rel "$OUT/bpf-streams-$version") is made: $(cd "$OUT/bpf-streams-$version" && echo *)"
