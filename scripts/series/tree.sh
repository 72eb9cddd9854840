#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Composes build/linux: the base, with a commit for each patch of patches/series and the
# overlay files that it names. Run again, it touches only the files that changed, so that
# kbuild stays incremental. Edits made in build/linux are kept, or it stops: see
# scripts/series/refresh.sh.
#
#   tree.sh            compose ($BASE: tarball or folder, $FORCE=1: discard edits)
#   tree.sh --strict   the same, but an edit in build/linux is an error
#   tree.sh --edits    only list the files edited in build/linux
#   tree.sh --unsaved  also what else is not in the series: commits, a rebase
#   tree.sh --quiet    compose, and say nothing if it succeeds

. "$(dirname "$0")/../lib.sh"
use series/lib

BASE=${BASE:-}
FORCE=${FORCE:-}
[[ $FORCE != 0 ]] || FORCE=
DEBIAN_BASE=/usr/src/linux-source-6.12.tar.xz
WORK=$BUILD/tree.tmp.$$
# In build/linux/.git: which base it is of, what it was composed from, and which hunks
# applied at other lines than the patches say
GENERATION=$LINUX/.git/base-generation
FINGERPRINT=$LINUX/.git/fingerprint
OFFSETS=$LINUX/.git/offsets

# --- the base ---

# The base of the last run stays the base until BASE names another
choose_base() {
	if [[ -z $BASE && -f $BASE_DIR.id ]]; then
		BASE=$(sed -n 1p "$BASE_DIR.id")
		[[ -e $BASE ]] || BASE=
	fi
	BASE=${BASE:-$DEBIAN_BASE}
	[[ -e $BASE ]] ||
		die "no kernel source at $BASE" "run 'make deps', or name a 6.12.y tree or tarball: make tree BASE=..."
	BASE=$(realpath "$BASE")
}

check_version() {
	local dir=$1 version

	[[ -f $dir/Makefile ]] || die "$BASE has no Makefile: not a kernel source"
	version=$(awk -F ' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { p = $2 }
		END { print v "." p }' "$dir/Makefile")
	[[ $version == 6.12 ]] ||
		die "$BASE is Linux $version; the series is for 6.12.y"
}

extract() {
	rm -rf "$BASE_DIR.tmp"
	mkdir "$BASE_DIR.tmp"
	rm_at_exit "$BASE_DIR.tmp"
	HINT="is it a whole tarball of a kernel? for Debian's: sudo apt-get install --reinstall linux-source-6.12"
	step "extracting $(basename "$BASE")" "$LOGS/extract" \
		tar -C "$BASE_DIR.tmp" --strip-components=1 -xf "$BASE"
	HINT=
}

copy_base_folder() {
	if [[ -e $BASE/.config || -d $BASE/include/config ]]; then
		die "$BASE has been built in" "run 'make mrproper' there, or name a clean tree"
	fi
	mkdir -p "$BASE_DIR.tmp"
	rm_at_exit "$BASE_DIR.tmp"
	HINT=
	step "copying $BASE" "$LOGS/extract" \
		rsync -a --no-owner --no-group --delete --exclude /.git "$BASE/" "$BASE_DIR.tmp/"
}

# A folder is compared file by file, by size and time, a tarball as a whole
base_is_current() {
	[[ -f $BASE_DIR.id && -f $BASE_DIR.generation && -d $BASE_DIR && $(<"$BASE_DIR.id") == "$ID" ]] || return 1
	[[ -d $BASE ]] || return 0
	[[ $(rsync -an --no-owner --no-group --modify-window=-1 --delete --itemize-changes --exclude /.git "$BASE/" "$BASE_DIR/" |
		grep -c -v '^\.d') == 0 ]]
}

prepare_base() {
	local was

	choose_base
	if [[ -d $BASE ]]; then
		check_version "$BASE"
		ID=$BASE
	else
		ID=$(printf '%s\n%s' "$BASE" "$(stat -L -c '%s %Y' "$BASE")")
	fi
	if base_is_current; then
		return
	fi
	if [[ -d $BASE ]]; then
		copy_base_folder
	else
		extract
	fi
	check_version "$BASE_DIR.tmp"
	was=$BASE_DIR
	[[ -d $was ]] || was=$BASE_DIR.tmp
	refuse_edits "the base changes" "$(find_edits "$was"; unfinished)"
	# Patches that were never composed cannot be moved to the new base by a rebase
	series_unchanged || rm -f "$FINGERPRINT"
	# It is whole when it has an id
	rm -f "$BASE_DIR.id"
	rm -rf "$BASE_DIR" "$BASE_DIR.generation"
	mv "$BASE_DIR.tmp" "$BASE_DIR"
	od -An -N8 -tx8 /dev/urandom >"$BASE_DIR.generation"
	echo "$ID" >"$BASE_DIR.id"
}

# --- what the series consists of ---

check_patch() {
	local patch=$1 files summary path

	[[ -f $PATCHES/$patch ]] || die "patches/series names $patch, but there is no such file"
	files=$(patch_files "$patch" 2>"$WORK/error") ||
		die "git cannot read $patch: $(tail -n 1 "$WORK/error")"
	summary=$(about_patch "$patch" --summary | head -n 1)
	[[ -z $summary ]] ||
		die "$patch would$summary" \
		    "the patches only change files of the base; new files are overlay files"
	while IFS= read -r path; do
		[[ -z $path || -z ${OVERLAY[$path]:-} ]] ||
			die "$patch changes $path, which is an overlay file" \
			    "edit the overlay file itself; the patch has only to name it in Adds:"
		[[ -z $path || -f $BASE_DIR/$path ]] ||
			die "$patch changes $path, which the base does not have"
	done <<<"$files"
	while IFS= read -r path; do
		[[ -n ${OVERLAY[$path]:-} ]] ||
			die "$patch says 'Adds: $path', but there is no such overlay file"
		[[ ${OVERLAY[$path]} == none ]] ||
			die "$path is in the Adds: lines of two patches: ${OVERLAY[$path]} and $patch"
		[[ ! -e $BASE_DIR/$path ]] ||
			die "the overlay file $path exists in the base as well" "change it with a patch instead"
		OVERLAY[$path]=$patch
	done < <(patch_adds "$patch")
}

check_series() {
	local patch path dups
	declare -A OVERLAY=()

	while IFS= read -r path; do
		[[ -f $REPO/$path && ! -L $REPO/$path ]] ||
			die "$path is not a plain file" "overlay files must be"
		OVERLAY[$path]=none
	done < <(overlay_files)
	while IFS= read -r patch; do
		check_patch "$patch"
	done < <(series_patches)
	dups=$(series_patches | sort | uniq -d)
	[[ -z $dups ]] || die "patches/series names twice: $dups"
	for path in "$PATCHES"/*.patch; do
		[[ ! -f $path ]] || series_patches | grep -xF "$(basename "$path")" >/dev/null ||
			warn "note: $(rel "$path") is not in patches/series"
	done
	for path in "${!OVERLAY[@]}"; do
		[[ ${OVERLAY[$path]} != none ]] ||
			die "no patch brings the overlay file $path" \
			    "add 'Adds: $path' to the header of the patch that it belongs to"
	done
}

# --- edits in build/linux ---

files_in() {
	find "$1" -path "$1/.git" -prune -o ! -type d -printf '%P\n' | sort
}

# To see quickly what may differ
listing() {
	find "$1" -path "$1/.git" -prune -o ! -type d -printf '%P\t%s %T@ %m %l\n' | sort
}

# strays [BASE]: edits that git does not see: files of the base that it does not track, and
# new ones
strays() {
	local base=${1:-$BASE_DIR} path

	[[ -d $base ]] || return 0
	files_in "$base" >"$WORK/base"
	files_in "$LINUX" >"$WORK/linux"
	g ls-tree -r --name-only HEAD >"$WORK/tracked"
	comm -23 "$WORK/base" "$WORK/linux" | comm -23 - "$WORK/tracked" | sed 's/^/deleted /'
	comm -13 <(listing "$base") <(listing "$LINUX") | cut -f 1 | sort >"$WORK/differing"
	find "$LINUX" -path "$LINUX/.git" -prune -o ! -type d -cnewer "$GENERATION" -printf '%P\n' |
		sort | comm -12 - "$WORK/differing" |
		comm -12 - "$WORK/base" | comm -23 - "$WORK/tracked" |
		while IFS= read -r path; do
			same "$base/$path" "$LINUX/$path" || echo "edited $path"
		done
	comm -13 "$WORK/base" "$WORK/linux" | comm -23 - "$WORK/tracked" |
		sed -E '/(~|\.orig|\.rej|\/#[^/]*#)$/d' | ignored_out | sed 's/^/new /'
}

# Without what the kernel's own .gitignore names
ignored_out() {
	{ g check-ignore --no-index -v -n --stdin || :; } | sed -n 's/^::\t//p'
}

same() {
	if [[ -L $1 || -L $2 ]]; then
		[[ $(readlink "$1") == "$(readlink "$2")" ]]
		return
	fi
	cmp -s "$1" "$2" && [[ $(stat -c %A "$1") == "$(stat -c %A "$2")" ]]
}

# find_edits [BASE]: "edited PATH", "deleted PATH" and "new PATH" lines
find_edits() {
	[[ -f $GENERATION ]] || return 0
	g update-index -q --refresh >/dev/null || :
	{
		strays "$@"
		g diff-index --no-renames --name-status HEAD |
			sed -e 's/^A\t/new /' -e 's/^D\t/deleted /' -e 's/^[A-Z]\t/edited /'
	} | sort -u -k 2
}

# refuse_edits WHY EDITS
refuse_edits() {
	[[ -n $2 && -z $FORCE ]] || return 0
	printf '    %s\n' "${2//$'\n'/$'\n    '}" >&2
	die "$1, but the files above were edited in build/linux" \
	    "'make refresh' puts the edits into the series, 'make tree FORCE=1' throws them away"
}

# Was something committed in build/linux, or was its branch changed?
own_commits() {
	local head

	head=$(g rev-parse HEAD)
	[[ $head != "$(g rev-parse "$COMPOSED")" &&
	   $head != "$(g rev-parse -q --verify "$COMPOSED-before" || :)" ]]
}

# Other work that is only in build/
unfinished() {
	[[ -f $GENERATION ]] || return 0
	! own_commits || g log --format='commit %h %s' "$COMPOSED..HEAD"
	[[ ! -d $REBASE ]] || echo "rebase $(rel "$REBASE")"
}

# Of what git is in the middle of in build/linux
quit_git() {
	rm -rf "$LINUX"/.git/{rebase-merge,rebase-apply,MERGE_HEAD,CHERRY_PICK_HEAD,REVERT_HEAD,BISECT_LOG}
}

# --- composition ---

# Not that of build/linux
use_scratch_index() {
	export GIT_INDEX_FILE=$WORK/index
}

# Reads paths: tells git to track these files of the base as well. What they are now is
# an edit then, unless it is the same.
track() {
	local commit

	cat >"$WORK/more"
	[[ -s $WORK/more ]] || return 0
	stage "$BASE_DIR" <"$WORK/more"
	commit=$(
		use_scratch_index
		g read-tree HEAD
		stage "$BASE_DIR" <"$WORK/more"
		commit_index "$IDENTITY" HEAD <<<"More files of the base"
	)
	g update-ref "$COMPOSED" "$commit"
	g update-ref HEAD "$commit"
	# The base gets them, too
	rm -f "$FINGERPRINT"
}

# tracked_base_files COMMIT
tracked_base_files() {
	{
		g ls-tree -r --name-only "$1" 2>/dev/null || :
		series_files
	} | sort -u | comm -12 - <(files_in "$BASE_DIR")
}

base_commit() {
	g read-tree --empty
	tracked_base_files HEAD | stage "$BASE_DIR"
	commit_index "$IDENTITY" <<<"Linux $(make -s -C "$BASE_DIR" kernelversion)"
}

commit_patch() {
	local patch=$1 AUTHOR SUBJECT

	parse_patch "$PATCHES/$patch" "$WORK" || die "git cannot read the header of $patch"
	[[ -n $SUBJECT ]] || die "$patch has no Subject:" "its header is a whole commit message"
	patch_adds "$patch" | stage "$REPO" || die "git cannot add the new files of $patch"
	{
		printf '%s\n\n' "$SUBJECT"
		cat "$WORK/message"
	} | our_git -C / interpret-trailers --no-divider --trailer "Patch: $patch" >"$WORK/commit" ||
		die "git cannot write the message of $patch"
	TIP=$(commit_index "$AUTHOR" "$TIP" <"$WORK/commit") || die "git cannot commit $patch"
}

# If the series was composed on another base before, git can take it to the new one by a
# rebase; conflicts are resolved there, and "make refresh" writes the patches
move_series() {
	g rev-parse -q --verify refs/old/series >/dev/null || return 0
	g update-ref refs/edits HEAD
	start_rebase refs/old/series --onto "$NEW_BASE" refs/old/base || :
	die "$CONFLICT does not apply to $BASE" \
	    "git began to rebase the series in build/rebase: resolve the conflicts there, see 'git status', and run 'make refresh'; or go back: rm -rf build/rebase, and make tree BASE=..."
}

# compose: sets NEW and NEW_BASE, and leaves the work tree alone
compose() {
	use_scratch_index
	NEW_BASE=$(base_commit)
	TIP=$NEW_BASE
	apply_series "$LOGS/tree" commit_patch >"$OFFSETS" || {
		unset GIT_INDEX_FILE
		move_series
		die "$CONFLICT does not apply to $BASE (all that git said: $(rel "$LOGS/tree"))" \
		    "no fuzz is allowed: adapt the patch to this base, or use the base it was made for"
	}
	NEW=$TIP
	unset GIT_INDEX_FILE
}

# Edits that the new composition has as well are none
settle() {
	local path blob

	{
		g diff-index --no-renames --name-only HEAD
		g diff-tree -r --no-renames --name-only --diff-filter=A HEAD "$NEW"
	} | sort -u | while IFS= read -r path; do
		if [[ -f $LINUX/$path ]] && blob=$(g rev-parse -q --verify "$NEW:$path") &&
		   [[ $(g hash-object -- "$path") == "$blob" ]]; then
			g update-index --add -- "$path"
		fi
	done
}

# The work tree gets what differs from the last composition
check_out() {
	CHANGED=$(g diff-tree -r --no-renames --name-only HEAD "$NEW" | wc -l)
	settle
	g update-ref "$COMPOSED-before" HEAD
	g update-ref "$COMPOSED" "$NEW"
	if ! g checkout -q ${FORCE:+-f} --no-overwrite-ignore -B series "$NEW" 2>"$LOGS/checkout"; then
		g update-ref "$COMPOSED" HEAD
		grep -q '^	' "$LOGS/checkout" || die "git cannot check out the series: $(tail -n 1 "$LOGS/checkout")"
		sed -n 's/^\t/    /p' "$LOGS/checkout" >&2
		die "edited in build/linux, while the repository's side of the same files changed too (git said: $(rel "$LOGS/checkout"))" \
		    "put the repository's side back and run 'make refresh' (keeps the edit), or run 'make tree FORCE=1' (discards it)"
	fi
	g update-ref refs/tags/base "$NEW_BASE"
	g update-ref -d "$COMPOSED-before"
	g update-ref -d refs/installing
	g update-ref -d refs/old/series
	g update-ref -d refs/old/base
}

# A work tree of the base alone
copy_base() {
	local ref

	[[ ! -d $LINUX || -d $LINUX/.git ]] ||
		die "build/linux was made by an older version of this script" \
		    "save your edits, if there are any, and run: rm -rf build/linux"
	if [[ -f $FINGERPRINT ]] && ! g rev-parse -q --verify refs/old/series >/dev/null; then
		g update-ref refs/old/series "$COMPOSED"
		g update-ref refs/old/base base
	fi
	if [[ -d $LINUX ]]; then
		rm -f "$GENERATION" "$FINGERPRINT"
		step "updating build/linux" "$LOGS/copy" \
			rsync -rlpc --delete --exclude=/.git "$BASE_DIR/" "$LINUX/"
	else
		rm -rf "$LINUX.tmp"
		rm_at_exit "$LINUX.tmp"
		step "copying build/base to build/linux" "$LOGS/copy" \
			cp -a --reflink=auto "$BASE_DIR" "$LINUX.tmp"
		our_git init -q --template= -b series "$LINUX.tmp"
		our_git -C "$LINUX.tmp" config status.showUntrackedFiles no
		# messages may have lines that begin with #
		our_git -C "$LINUX.tmp" config core.commentChar ";"
		our_git -C "$LINUX.tmp" config core.autocrlf false
		mv "$LINUX.tmp" "$LINUX"
	fi
	NEW_BASE=$(
		use_scratch_index
		base_commit
	)
	g symbolic-ref HEAD refs/heads/series
	for ref in HEAD "$COMPOSED" "$COMPOSED-before" refs/tags/base; do
		g update-ref "$ref" "$NEW_BASE"
	done
	g read-tree --reset HEAD
	# written, not copied: edits are what changed after this moment
	cat "$BASE_DIR.generation" >"$GENERATION"
}

fingerprint() {
	{
		cat "$BASE_DIR.generation"
		tracked_base_files base
		(cd "$REPO" && {
			echo patches/series
			series_patches | sed 's|^|patches/|'
			overlay_files | sort
		} | xargs -d '\n' -r stat -c '%A %n' &&
			series_patches | sed 's|^|patches/|' | xargs -d '\n' -r sha256sum &&
			overlay_files | sort | xargs -d '\n' -r sha256sum)
	} | sha256sum
}

series_unchanged() {
	[[ -f $GENERATION && -f $FINGERPRINT && $(<"$FINGERPRINT") == "$(fingerprint)" ]]
}

report_edits() {
	local edits what path

	edits=$(find_edits)
	if [[ -n $STRICT ]]; then
		refuse_edits "the tree must be that of the series" "$(grep -v '^new ' <<<"$edits" || :)"
	fi
	while read -r what path; do
		case $what in
		edited|deleted)
			warn "note: $path is $what in build/linux and not yet in the series (make refresh)" ;;
		new)
			warn "note: build/linux/$path is new; to make it part of the series: git add, and make refresh PATCH=name" ;;
		esac
	done <<<"$edits"
}

summary() {
	while IFS= read -r note; do
		warn "note: $note"
	done <"$OFFSETS"
	say "$(g log -1 --format=%s base), $(series_patches | wc -l) patches," \
	    "$(composed_files | grep -c '^overlay ' || :) new files; $CHANGED changed in build/linux"
}

STRICT=
QUIET=
prepare_build
mkdir -p "$WORK"
rm_at_exit "$WORK"
case ${1:-} in
'')		;;
--strict)	STRICT=1 ;;
--quiet)	QUIET=1 ;;
--edits)	find_edits; exit 0 ;;
--unsaved)	find_edits; unfinished; exit 0 ;;
*)		die "unknown argument $1" ;;
esac

need git rsync tar
lock tree
prepare_base
check_series
[[ ! -f $GENERATION || -n $FORCE ]] || check_state
[[ -z $FORCE || ! -d $LINUX/.git ]] || quit_git
cmp -s "$BASE_DIR.generation" "$GENERATION" || copy_base
if ! own_commits || [[ -n $FORCE ]]; then
	strays | sed -n -e 's/^edited //p' -e 's/^deleted //p' | track
elif series_unchanged; then
	[[ -z $STRICT ]] ||
		die "build/linux has commits of its own" \
		    "'make refresh' puts them into the series, 'make tree FORCE=1' throws them away"
	warn "note: build/linux has commits that are not yet in the series (make refresh)"
else
	die "build/linux has commits of its own, and the series changed, too" \
	    "put the repository's side back (git stash), run 'make refresh', then git stash pop; or 'make tree FORCE=1' throws the commits away"
fi
NEW=$(g rev-parse "$COMPOSED")
NEW_BASE=$(g rev-parse base)
CHANGED=0
if ! series_unchanged; then
	[[ ! -d $REBASE || -n $FORCE ]] ||
		die "the series changed while 'make refresh' is not finished" \
		    "finish it: resolve the conflict in build/rebase, see 'git status' there, and run 'make refresh'; or give it up: rm -rf build/rebase"
	drop_rebase
	compose
	g ls-tree -r --name-only "$NEW_BASE" | comm -23 - <(g ls-files | sort) | track
	check_out
	fingerprint >"$FINGERPRINT"
elif [[ -n $FORCE ]]; then
	check_out
fi
[[ -z $QUIET ]] || exit 0
report_edits
summary
