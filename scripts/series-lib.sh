# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the series and the overlay folders consist of; sourced by those scripts
# that compose the tree, write patches back, or export the series.

# no settings of the user's
unset "${!QUILT_@}"

PATCHES=$REPO/patches
BASE_DIR=$BUILD/base
LINUX=$BUILD/linux
# What the last composition put into build/linux: "list" and "files/"
COMPOSED=$BUILD/.composed
QUILT_DIR=$BUILD/quilt
OVERLAY_DIRS=(kernel include mm arch lib tools Documentation samples)
# The Kconfig fragment's place in the tree; a patch sources it from there
KCONFIG_PATH=kernel/bpf/Kconfig.streams

# quilt_in DIR PATCHES ARGS...: quilt without the user's settings
quilt_in() {
	local dir=$1 patches=$2

	shift 2
	(cd "$dir" && QUILT_PATCHES=$patches QUILT_SERIES=$patches/series QUILT_PC=.pc \
		QUILT_DIFF_OPTS=-p quilt --quiltrc /dev/null "$@")
}

series_patches() {
	[[ -f $PATCHES/series ]] || return 0
	sed -e 's/#.*//' "$PATCHES/series" | awk 'NF { print $1 }'
}

# patch_files FILE: the files that a patch changes, one line each:
# "change PATH", "create PATH" or "delete PATH"
patch_files() {
	awk '
		function path(s) {
			sub(/\t.*/, "", s)
			if (s == "/dev/null")
				return s
			sub(/^[^\/]*\//, "", s)
			return s
		}
		o > 0 || n > 0 {
			c = substr($0, 1, 1)
			if (c == "-") o--
			else if (c == "+") n--
			else if (c != "\\") { o--; n-- }
			next
		}
		/^--- / { old = path(substr($0, 5)); next }
		/^\+\+\+ / && old != "" {
			new = path(substr($0, 5))
			if (old == "/dev/null") print "create " new
			else if (new == "/dev/null") print "delete " old
			else print "change " new
			old = ""
			next
		}
		/^@@ -[0-9]/ {
			split($2, a, ","); o = (2 in a) ? a[2] : 1
			split($3, b, ","); n = (2 in b) ? b[2] : 1
			delete a; delete b
			next
		}
	' "$1"
}

# copy_patches DIR: for quilt, which takes a patch without changes (one that only
# adds overlay files) for garbage, unless it is an empty file
copy_patches() {
	local patch

	mkdir -p "$1"
	: >"$1/series"
	while IFS= read -r patch; do
		echo "$patch" >>"$1/series"
		if [[ -n $(patch_files "$PATCHES/$patch") ]]; then
			cp "$PATCHES/$patch" "$1/$patch"
		else
			: >"$1/$patch"
		fi
	done < <(series_patches)
}

# series_files: what the patches change, each file once
series_files() {
	local patch

	series_patches | while IFS= read -r patch; do
		patch_files "$PATCHES/$patch"
	done | cut -d ' ' -f 2- | sort -u
}

describe_failure() {
	awk -v patch="$1" '
		/^patching file / { file = $3 }
		/^can.t find file to patch/ { printf "%s: a file that it changes is not there\n", patch }
		/FAILED at/ {
			sub(/\.$/, "")
			printf "%s: %s: hunk %s does not apply, at line %s\n", patch, file, $2, $NF
		}
		/malformed patch/ { printf "%s: %s\n", patch, $0 }
	' "$2" >&2
}

# A line for each hunk that applies elsewhere than the patch says
describe_offsets() {
	awk -v patch="$1" '
		/^patching file / { file = $3 }
		/succeeded at .* \(offset/ {
			match($0, /offset -?[0-9]+/)
			printf "%s: %s: hunk %s applies with %s\n", patch, file, $2, substr($0, RSTART, RLENGTH)
		}
	' "$2"
}

# push_patches DIR LOG: applies the series in DIR, which has the files that it changes.
# Prints a line for each hunk that applies at another line than the patch says. If one
# does not apply, sets CONFLICT to its patch, and says on stderr what does not fit.
push_patches() {
	local dir=$1 log=$2 patch

	CONFLICT=
	copy_patches "$dir/.patches"
	while IFS= read -r patch; do
		if ! quilt_in "$dir" "$dir/.patches" push --fuzz=0 >"$log" 2>&1; then
			describe_failure "$patch" "$log"
			CONFLICT=$patch
			return 1
		fi
		describe_offsets "$patch" "$log"
	done < <(series_patches)
}

# patch_header FILE: everything before the first change
patch_header() {
	awk '/^---$/ || /^--- [^ ]/ || /^diff --git / || /^Index: / { exit } { print }' "$1"
}

patch_adds() {
	patch_header "$1" | sed -n 's/^Adds:[[:space:]]*//p' | tr -s '[:blank:]' '\n' | sed '/^$/d'
}

# Is the repository a git checkout (and not a folder in one of something else)?
is_git_top() {
	local prefix

	prefix=$(git -c safe.directory='*' -C "$REPO" rev-parse --show-prefix 2>/dev/null) &&
		[[ -z $prefix ]]
}

# The overlay files, as paths in the kernel tree. Only what git would track:
# no editor's backups and nothing that is built.
overlay_files() {
	local dirs=() dir

	for dir in "${OVERLAY_DIRS[@]}"; do
		[[ ! -d $REPO/$dir ]] || dirs+=("$dir")
	done
	if ((${#dirs[@]})); then
		if is_git_top; then
			git -c safe.directory='*' -C "$REPO" ls-files -co --exclude-standard -- "${dirs[@]}" |
				while IFS= read -r dir; do
					[[ ! -e $REPO/$dir && ! -L $REPO/$dir ]] || echo "$dir"
				done
		else
			(cd "$REPO" && find "${dirs[@]}" -type d -name __pycache__ -prune -o ! -type d \
				! -name '*~' ! -name '.*.sw?' ! -name '.#*' ! -name '#*#' \
				! -name '*.orig' ! -name '*.rej' ! -name '*.o' ! -name '*.d' -print)
		fi
	fi
	[[ ! -f $REPO/Kconfig ]] || echo "$KCONFIG_PATH"
	[[ ! -f $REPO/MAINTAINERS ]] || echo MAINTAINERS
}

# repo_path PATH: where an overlay file lives in the repository
repo_path() {
	case $1 in
	"$KCONFIG_PATH") echo "$REPO/Kconfig" ;;
	*) echo "$REPO/$1" ;;
	esac
}
