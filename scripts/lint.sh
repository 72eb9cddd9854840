#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch --strict on each mail of the series, W=1 and sparse on our kernel
# code, Sphinx on our documentation, shellcheck on the scripts.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

failed=0

prepare_build
child "$SCRIPTS/series.sh"
child "$SCRIPTS/checkpatch.sh" || failed=1
child "$SCRIPTS/warnings.sh" || failed=1
child "$SCRIPTS/warnings.sh" --sparse || failed=1
child "$SCRIPTS/docs.sh" || failed=1

if command -v shellcheck >/dev/null; then
	mapfile -t shells < <(cd "$REPO" && grep -l -r -m 1 -E '^#!.*sh$|^# shellcheck shell' scripts .ci)
	if (cd "$REPO" && shellcheck "${shells[@]}") >&2; then
		say "shellcheck: nothing to say about ${#shells[@]} scripts"
	else
		failed=1
	fi
else
	warn "note: shellcheck is not installed, scripts are not checked"
fi
((failed == 0)) || die "lint found something, see above"
