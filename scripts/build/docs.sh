#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/docs: the composed tree's Documentation/bpf as HTML, by the base's own Sphinx
# build, and the man pages of bpftool (build/docs/man). A warning about one of our
# pages, or what they include, is an error; so it is if bpftool's usage, man pages and
# completion do not agree.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env

OUT=$BUILD/docs
LOG=$LOGS/docs

# Without YNL_INDEX it would write pages about netlink into the tree. The index for
# searching has the order of Python's sets, and of the pages as they are read.
build() {
	PYTHONHASHSEED=0 kmake "$OUT" SPHINXDIRS=bpf SPHINXOPTS="-E -j1" YNL_INDEX= htmldocs
}

man_pages() {
	mkdir -p "$OUT/man"
	tmake tools/bpf/bpftool/Documentation OUTPUT="$OUT/man/" RST2MAN_OPTS=--strict
}

# The base's own check of bpftool's documentation
synctypes() {
	python3 "$LINUX/tools/testing/selftests/bpf/test_bpftool_synctypes.py"
}

# Our pages; the lines about what a page includes begin with the page
ours() {
	(cd "$REPO" && find Documentation -name '*.rst' | sed 's/\.rst$//')
}

need_tree
need make sphinx-build rst2man python3
prepare_build
lock docs
# Pages that are no more must not be handed out
rm -rf "$OUT/Documentation/output" "$OUT/man"
mkdir -p "$OUT"
step "building the documentation" "$LOG" build
if grep -E 'WARNING|ERROR|CRITICAL' "$LOG" | grep -F -f <(ours) >&2; then
	die "Sphinx has something to say about our pages, see above"
fi
step "building bpftool's man pages" "$LOG-man" man_pages
step "comparing bpftool's usage, man pages and completion" "$LOG-synctypes" synctypes
say "build/docs/Documentation/output/bpf/index.html is up to date"
