#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/docs: the composed tree's Documentation/bpf as HTML, by the base's own Sphinx
# build. A warning about one of our pages, or what they include, is an error.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"
# shellcheck source=build-env.sh
. "$SCRIPTS/build-env.sh"

OUT=$BUILD/docs
LOG=$LOGS/docs

# Without YNL_INDEX it would write pages about netlink into the tree
build() {
	kmake "$OUT" SPHINXDIRS=bpf SPHINXOPTS=-E YNL_INDEX= htmldocs
}

# Our pages; the lines about what a page includes begin with the page
ours() {
	(cd "$REPO" && find Documentation -name '*.rst' | sed 's/\.rst$//')
}

[[ -f $COMPOSED/list ]] || die "there is no composed tree" "run: make tree"
need make sphinx-build
prepare_build
lock docs
mkdir -p "$OUT"
step "building the documentation" "$LOG" build
if grep -E 'WARNING|ERROR|CRITICAL' "$LOG" | grep -F -f <(ours) >&2; then
	die "Sphinx has something to say about our pages, see above"
fi
say "build/docs/Documentation/output/bpf/index.html is up to date"
