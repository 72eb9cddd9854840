#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Removes build/, unless work would be lost with it.

. "$(dirname "$0")/../lib.sh"

[[ -d $BUILD ]] || exit 0
edits=$("$SCRIPTS/series/tree.sh" --unsaved)
if [[ -n $edits && ${FORCE:-0} == 0 ]]; then
	printf '%s\n' "$edits" >&2
	die "what is listed above would be lost" \
	    "'make refresh' puts it into the series, 'make clean FORCE=1' throws it away"
fi
rm -rf --one-file-system "$BUILD" || die "cannot remove all of build/" "run: sudo make clean"
