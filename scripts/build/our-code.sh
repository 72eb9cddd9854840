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

# our_functions OUT: functions of the kernel built there that begin in our lines
our_functions() {
	local kind path object

	while read -r kind path; do
		object=$1/${path%.c}.o
		[[ ! -f $object ]] || nm -l --defined-only "$object"
	done < <(our_sources) | sed -n 's|^[^ ]* [tTwW] \([^\t]*\)\t.*/\.\./linux/|\1 |p' |
		awk -v lines=<(our_lines) '
			BEGIN {
				while ((getline line < lines) > 0)
					ours[line] = 1
			}
			{
				path = $2
				sub(/:[0-9]+$/, "", path)
			}
			path in ours || $2 in ours { print $1 }' | sort -u
}

# Warnings of what looks at objects name no line, but functions
ABOUT_OBJECTS='warning: objtool: |WARN: resolve_btfids: |WARNING: modpost: '

# about_our_functions LOG OUT: those of them that are about ours; fails if there are none
about_our_functions() {
	grep -q -E "$ABOUT_OBJECTS" "$1" || return 1
	grep -E "$ABOUT_OBJECTS" "$1" | grep -w -F -f <(our_functions "$2") | sed 's/^/    | /'
}

# located_in_our_lines LOG: fails if there are none
located_in_our_lines() {
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
		show { print "    | " $0; found = 1 }
		END { exit !found }'
}

# our_warnings LOG OUT: warnings and errors of a build in OUT that are about our lines or
# functions; fails if there are none
our_warnings() {
	local found=

	! located_in_our_lines "$1" || found=1
	! about_our_functions "$1" "$2" || found=1
	[[ -n $found ]]
}
