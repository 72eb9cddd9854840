#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tries the series on every release of 6.12 that is to be had from Debian's suites: the
# upstream tarballs of the source package linux, and Debian's own linux-source-6.12,
# which has Debian's patches as well. Prints a table, also to build/bases/table.txt.
#
#   bases.sh               all of them
#   BASE=path bases.sh     only that tree or tarball
#
# An offset is fine (git am takes it); a conflict fails, but with releases of Debian's
# that are older than those that the series is for. Of each source only the files that
# matter are kept, so that the next run needs no network for it. No tree is composed.

. "$(dirname "$0")/../lib.sh"
use series/lib build/debian-suites

BASE=${BASE:-}
# Up to 6.12.113 the verifier lacks fixes that the locks' patches build upon: of what an
# exit checks, and of the map that a callback's value is of
OLDEST=6.12.115
OUT=$BUILD/bases
WORK=$OUT/tmp.$$
TABLE=$OUT/table.txt
LOG=$LOGS/bases
# The patches are applied to the index of an empty repository
LINUX=$WORK/git
failed=0
tried=0

# Paths that the series changes or creates: what of a source is kept
interesting() {
	echo Makefile
	series_files
	overlay_files
}

# keep_from TARBALL DIR: of the tarball only what is in $WORK/interesting
keep_from() {
	local top

	mkdir -p "$2"
	top=$(tar -tf "$1" 2>/dev/null | sed -e "s|/.*||" -e 1q || :)
	[[ -n $top ]] || return 1
	# what the series creates is not there, as it should be
	sed "s|^|$top/|" "$WORK/interesting" |
		tar -C "$2" --strip-components=1 -xf "$1" -T - 2>"$WORK/tar" ||
		! grep -v -e ': Not found in archive$' -e 'Exiting with failure status' "$WORK/tar"
	[[ -f $2/Makefile ]]
}

keep_from_folder() {
	local path

	while IFS= read -r path; do
		if [[ -e $1/$path ]]; then
			mkdir -p "$2/$(dirname "$path")"
			cp "$1/$path" "$2/$path"
		fi
	done <"$WORK/interesting"
	[[ -f $2/Makefile ]]
}

# fetch_upstream VERSION DIR, fetch_debian VERSION DIR
fetch_upstream() {
	suites_source "linux=$1" "$WORK/fetched" &&
		keep_from "$(find "$WORK/fetched" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)" "$2"
}

fetch_debian() {
	suites_deb "linux-source-6.12=$1" "$WORK/fetched" &&
		keep_from "$(find "$WORK/fetched" -name 'linux-source-*.tar.*' | head -n 1)" "$2"
}

# kept KIND VERSION: the folder with the source's files, which are fetched if they are
# not there, or not those that the series needs now
kept() {
	local dir=$OUT/$1-$2

	if ! cmp -s "$WORK/interesting" "$dir.files"; then
		rm -rf "$dir" "$dir.files" "$WORK/fetched"
		say "fetching $1 $2"
		"fetch_$1" "$2" "$dir" || return 1
		cp "$WORK/interesting" "$dir.files"
		rm -rf "$WORK/fetched"
	fi
}

makefile_version() {
	awk -F ' *= *' '
		$1 == "VERSION" || $1 == "PATCHLEVEL" || $1 == "SUBLEVEL" { v = v "." $2 }
		END { print substr(v, 2) }' "$1/Makefile"
}

# The files that the series creates and that are there already
in_the_way() {
	overlay_files | while IFS= read -r path; do
		[[ ! -e $1/$path ]] || echo "$path"
	done
}

# A patch that changes a file that is not there
missing_from() {
	series_files | while IFS= read -r path; do
		[[ -e $1/$path ]] || echo "$path"
	done
}

# try DIR: sets RESULT
try() {
	local offsets names

	names=$(in_the_way "$1" | xargs)
	if [[ -n $names ]]; then
		RESULT="conflict: has $names already"
		return 1
	fi
	names=$(missing_from "$1" | xargs)
	if [[ -n $names ]]; then
		RESULT="conflict: has no $names"
		return 1
	fi
	g read-tree --empty
	series_files | stage "$1"
	if ! apply_series "$LOG" >"$WORK/offsets" 2>"$WORK/failure"; then
		RESULT="conflict in $(sed -n 's/^[^:]*: \([^:]*\): the hunk.*/\1/p' "$WORK/failure" | sort -u | xargs), ${CONFLICT%%-*}"
		return 1
	fi
	offsets=$(wc -l <"$WORK/offsets")
	RESULT=clean
	if ((offsets)); then
		RESULT="$offsets hunks offset, in $(cut -d ' ' -f 2 "$WORK/offsets" | sort -u | wc -l) files"
	fi
}

row() {
	printf '%-10s %-40s %s\n' "$@" | sed 's/ *$//' | tee -a "$TABLE.new"
}

# older RELEASE: than any that the series is for
older() {
	[[ $1 != "$OLDEST" && $(printf '%s\n' "$1" "$OLDEST" | sort -V | head -n 1) == "$1" ]]
}

# check RELEASE SOURCE DIR
check() {
	tried=$((tried + 1))
	if ! try "$3"; then
		if older "$1"; then
			RESULT+=" (older than $OLDEST)"
		fi
		if [[ -n $BASE ]] || ! older "$1"; then
			failed=$((failed + 1))
			[[ ! -s $WORK/failure ]] || sed 's/^/    | /' "$WORK/failure" >&2
		fi
	fi
	: >"$WORK/failure"
	row "$1" "$2" "$RESULT"
}

# "RELEASE VERSION..." lines: versions that Debian has made of one release, what was
# rebuilt for Debian 12 last, since that is the same source
releases() {
	suites_versions "$1" "$2" | grep '^6\.12\.' | sort -r -V |
		awk '{
			release = $1
			sub(/[-~+].*/, "", release)
			if ($1 ~ /~/)
				rebuilt[release] = rebuilt[release] " " $1
			else
				made[release] = made[release] " " $1
			all[release]
		}
		END { for (release in all) print release made[release] rebuilt[release] }' | sort -V
}

# Lists may still have what the archive has no more
check_release() {
	local kind=$1 title=$2 release=$3 version

	shift 3
	for version; do
		if kept "$kind" "$version"; then
			check "$release" "$title $version" "$OUT/$kind-$version"
			return
		fi
	done
	row "$release" "$title $1" "not to be had"
}

check_all() {
	local line

	while read -r -a line; do
		check_release "$1" "$2" "${line[@]}"
	done < <(releases "$3" "$4")
}

check_given() {
	local dir=$WORK/given

	[[ -e $BASE ]] || die "there is no $BASE"
	if [[ -d $BASE ]]; then
		keep_from_folder "$BASE" "$dir" || die "$BASE has no Makefile: not a kernel source"
	else
		step "reading $(basename "$BASE")" "$LOG" keep_from "$BASE" "$dir" ||
			die "$BASE is no tarball of a kernel"
	fi
	check "$(makefile_version "$dir")" "$(basename "$BASE")" "$dir"
}

need git tar
prepare_build
lock bases
rm_at_exit "$WORK" "$TABLE.new"
mkdir -p "$WORK"
our_git init -q "$LINUX"
: >"$WORK/failure"
interesting | sort -u >"$WORK/interesting"
[[ -n $(series_patches) ]] || die "patches/series is empty"
: >"$TABLE.new"
row release source "the series applies"
if [[ -n $BASE ]]; then
	check_given
else
	suites_update
	check_all upstream "upstream, from" source linux
	check_all debian "linux-source-6.12" binary linux-source-6.12
fi
((tried)) || die "no source of 6.12 is to be had" \
	"name one: make bases BASE=path; or see why: $(rel "$LOGS")/suites-*"
mv "$TABLE.new" "$TABLE"
((failed == 0)) || die "the series does not apply to $failed of these" \
	"the table: $(rel "$TABLE")"
