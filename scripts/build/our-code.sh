# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What of the kernel's code is ours, and warnings of compilers in it.

use series/lib

# our_sources: "KIND PATH" of our .c files of the kernel and of those that patches change
our_sources() {
	composed_files | grep -E '^[a-z]+ (arch|kernel|lib|mm|net|fs|drivers|block|security)/.*\.c$'
}

# "PATH" for a whole file of ours, "PATH:LINE" for a line that a patch brings
our_lines() {
	local kind path

	while read -r kind path; do
		if [[ $kind == overlay ]]; then
			echo "$path"
		else
			diff --unchanged-line-format='' --old-line-format='' \
				--new-line-format="$path:%dn"$'\n' \
				<(g show "base:$path") "$LINUX/$path" || :
		fi
	done < <(composed_files)
}

# our_warnings LOG: warnings and errors that are located in our lines, and those of what
# looks at objects, which name no line but our functions; fails if there are none
our_warnings() {
	sed -e "s|${LINUX//./\\.}/||g" -e 's|\(\.\./\)\{1,\}linux/||g' "$1" |
	awk -v ours=<(our_lines) '
		BEGIN {
			while ((getline line < ours) > 0)
				mine[line] = 1
		}
		/^[^ :]+:[0-9]+:([0-9]+:)? (warning|error):/ {
			split($0, a, ":")
			show = (a[1] in mine) || ((a[1] ":" a[2]) in mine)
		}
		(/^[^ ]/ && !/^[^ :]+:[0-9]+/) || /^  [A-Z]+ / { show = 0 }
		/warning: objtool: |WARN: resolve_btfids: |WARNING: modpost: / {
			show = /bpf_(prog_)?stream|bpf_res_spin|rqspinlock|_nolock/
		}
		show { print "    | " $0; found = 1 }
		END { exit !found }'
}
