#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch --strict on each mail of the series, W=1 and sparse on our kernel
# code, Sphinx on our documentation, whether MAINTAINERS names each new file, shellcheck
# on the scripts.

. "$(dirname "$0")/../lib.sh"
use series/lib

failed=0

# The F: lines of our entry in MAINTAINERS
maintained() {
	sed -n '/^BPF \[STREAMS\]/,/^$/s/^F:[[:space:]]*//p' "$LINUX/MAINTAINERS"
}

# Files of ours that no F: line names
unmaintained() {
	local path pattern patterns

	mapfile -t patterns < <(maintained | sed 's|/$|/*|')
	overlay_files | while IFS= read -r path; do
		for pattern in "${patterns[@]}"; do
			# shellcheck disable=SC2053 # the right-hand side is a pattern
			[[ $path != $pattern ]] || continue 2
		done
		echo "$path"
	done
}

prepare_build
child "$SCRIPTS/series/series.sh"
child "$SCRIPTS/series/checkpatch.sh" || failed=1
child "$SCRIPTS/build/warnings.sh" || failed=1
child "$SCRIPTS/build/warnings.sh" --sparse || failed=1
child "$SCRIPTS/build/docs.sh" || failed=1

missing=$(unmaintained)
if [[ -n $missing ]]; then
	warn "no F: line of MAINTAINERS names:"
	printf '    | %s\n' "${missing//$'\n'/$'\n'    | }" >&2
	failed=1
fi

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
