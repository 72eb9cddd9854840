#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Composes build/linux: the base, the patches of patches/series and the overlay
# files. Run again, it touches only what changed, so that kbuild stays
# incremental. Edits made in build/linux are never lost silently: see
# scripts/refresh.sh.
#
#   tree.sh            compose ($BASE: tarball or folder, $FORCE=1: discard edits)
#   tree.sh --strict   the same, but an edit in build/linux is an error
#   tree.sh --edits    only list the files edited in build/linux
#   tree.sh --unchanged   succeeds if the patches are those last composed

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"

BASE=${BASE:-}
FORCE=${FORCE:-}
DEBIAN_BASE=/usr/src/linux-source-6.12.tar.xz
STAMP=$BUILD/.linux-copied
NOTES=$BUILD/.series-notes
NEW=$COMPOSED.new

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
	local top

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
		rsync -a --delete --exclude /.git "$BASE/" "$BASE_DIR.tmp/"
}

# A folder is compared file by file, by size and time, a tarball as a whole
base_is_current() {
	[[ -f $BASE_DIR.id && -d $BASE_DIR && $(<"$BASE_DIR.id") == "$ID" ]] || return 1
	[[ -d $BASE ]] || return 0
	[[ $(rsync -an --modify-window=-1 --delete --itemize-changes --exclude /.git "$BASE/" "$BASE_DIR/" |
		grep -c -v '^\.d') == 0 ]]
}

prepare_base() {
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
	refuse_edits "the base changes"
	rm -rf "$BASE_DIR" "$BASE_DIR.id" "$BASE_DIR.generation"
	mv "$BASE_DIR.tmp" "$BASE_DIR"
	echo "$ID" >"$BASE_DIR.id"
	od -An -N8 -tx8 /dev/urandom >"$BASE_DIR.generation"
}

# --- what the series consists of ---

check_series() {
	local patch kind path file dups
	local -A owner=() overlay=()

	while IFS= read -r path; do
		file=$(repo_path "$path")
		[[ -f $file && ! -L $file ]] || die "$path is not a plain file" "overlay files must be"
		overlay[$path]=1
	done < <(overlay_files)

	while IFS= read -r patch; do
		[[ -f $PATCHES/$patch ]] ||
			die "patches/series names $patch, but there is no such file"
		while read -r kind path; do
			if [[ -n ${overlay[$path]:-} && $path != MAINTAINERS ]]; then
				die "$patch changes $path, which is an overlay file" \
				    "edit the overlay file itself; the patch has only to name it in Adds:"
			fi
			[[ $kind == change ]] ||
				die "$patch would $kind $path" "the patches only change files of the base; new files are overlay files"
			[[ -f $BASE_DIR/$path ]] ||
				die "$patch changes $path, which the base does not have"
		done < <(patch_files "$PATCHES/$patch")
		while IFS= read -r path; do
			[[ -n ${overlay[$path]:-} ]] ||
				die "$patch says 'Adds: $path', but there is no such overlay file" \
				    "the file belongs at $(rel "$(repo_path "$path")")"
			[[ -z ${owner[$path]:-} ]] ||
				die "$path is in the Adds: lines of two patches: ${owner[$path]} and $patch"
			[[ $path == MAINTAINERS || ! -e $BASE_DIR/$path ]] ||
				die "the overlay file $path exists in the base as well" "change it with a patch instead"
			owner[$path]=$patch
		done < <(patch_adds "$PATCHES/$patch")
	done < <(series_patches)

	dups=$(series_patches | sort | uniq -d)
	[[ -z $dups ]] || die "patches/series names twice: $dups"
	for file in "$PATCHES"/*.patch; do
		[[ ! -f $file ]] || series_patches | grep -xF "$(basename "$file")" >/dev/null ||
			warn "note: $(rel "$file") is not in patches/series"
	done
	for path in "${!overlay[@]}"; do
		[[ -n ${owner[$path]:-} ]] ||
			die "no patch brings the overlay file $(rel "$(repo_path "$path")")" \
			    "add 'Adds: $path' to the header of the patch that it belongs to"
	done
}

# --- patches: applied in a folder that has only the files that they change ---

fingerprint() {
	local patch

	cat "$BASE_DIR.generation"
	while IFS= read -r patch; do
		sha256sum <"$PATCHES/$patch"
		echo "$patch"
	done < <(series_patches)
}

series_unchanged() {
	[[ -f $QUILT_DIR/.done && $(<"$QUILT_DIR/.done") == "$(fingerprint | sha256sum)" ]]
}

push_series() {
	local path log=$LOGS/quilt

	if series_unchanged; then
		return
	fi
	rm -rf "$QUILT_DIR"
	mkdir -p "$QUILT_DIR"
	series_files | while IFS= read -r path; do
		mkdir -p "$QUILT_DIR/$(dirname "$path")"
		cp "$BASE_DIR/$path" "$QUILT_DIR/$path"
	done
	push_patches "$QUILT_DIR" "$log" >"$NOTES" ||
		die "$CONFLICT does not apply to $BASE (all that patch said: $(rel "$log"))" \
		    "no fuzz is allowed: adapt the patch to this base, or use the base it was made for"
	fingerprint | sha256sum >"$QUILT_DIR/.done"
}

# --- composition ---

# The new composition: NEW/list has "KIND PATH" lines, NEW/files the files
gather() {
	local path kind

	rm -rf "$NEW"
	mkdir -p "$NEW/files"
	rm_at_exit "$NEW"
	{
		series_files | sed 's/^/patched /'
		overlay_files | sort | sed 's/^/overlay /'
	} >"$NEW/list"
	while read -r kind path; do
		mkdir -p "$NEW/files/$(dirname "$path")"
		if [[ $path == MAINTAINERS ]]; then
			compose_maintainers
		elif [[ $kind == patched ]]; then
			cp "$QUILT_DIR/$path" "$NEW/files/$path"
			chmod --reference="$BASE_DIR/$path" "$NEW/files/$path"
		else
			cp --preserve=mode "$(repo_path "$path")" "$NEW/files/$path"
		fi
	done <"$NEW/list"
}

compose_maintainers() {
	local source=$BASE_DIR/MAINTAINERS

	[[ ! -f $QUILT_DIR/MAINTAINERS ]] || source=$QUILT_DIR/MAINTAINERS
	if [[ -f $REPO/MAINTAINERS ]]; then
		"$SCRIPTS/add-maintainers.py" "$REPO/MAINTAINERS" <"$source" >"$NEW/files/MAINTAINERS"
	else
		cp "$source" "$NEW/files/MAINTAINERS"
	fi
}

# expected PATH: the file with what build/linux/PATH had when it was composed
expected() {
	if [[ -e $COMPOSED/files/$1 ]]; then
		echo "$COMPOSED/files/$1"
	elif [[ -e $BASE_DIR/$1 ]]; then
		echo "$BASE_DIR/$1"
	fi
}

is_litter() {
	case $1 in
	*~|*.orig|*.rej|*.o|*.d|*.a|*.so|*.pyc|*.cmd|.*.swp|*/.*.sw?|*/.#*|*/#*#|*.tmp.*) return 0 ;;
	esac
	return 1
}

# Lists what was changed in build/linux since it was composed: "edited PATH",
# "deleted PATH", "new PATH"
find_edits() {
	local path was

	[[ -d $LINUX && -f $STAMP ]] || return 0
	if [[ -f $COMPOSED/list ]]; then
		cut -d ' ' -f 2- "$COMPOSED/list" | sort -u | while IFS= read -r path; do
			[[ -e $LINUX/$path ]] || echo "deleted $path"
		done
	fi
	(cd "$LINUX" && find . -type f -cnewer "$STAMP" -printf '%P\n') | sort |
	while IFS= read -r path; do
		was=$(expected "$path")
		if [[ -n $was ]]; then
			cmp -s "$was" "$LINUX/$path" || echo "edited $path"
		else
			is_litter "$path" || echo "new $path"
		fi
	done
}

refuse_edits() {
	local edits

	edits=$(find_edits | grep -v '^new ') || :
	if [[ -z $edits || -n $FORCE ]]; then
		return
	fi
	printf '    %s\n' "${edits//$'\n'/$'\n    '}" >&2
	die "$1, but the files above were edited in build/linux" \
	    "'make refresh' puts the edits into the series, 'make tree FORCE=1' throws them away"
}

same() {
	if [[ -e $1 && -e $2 ]]; then
		cmp -s "$1" "$2"
	else
		[[ ! -e $1 && ! -e $2 ]]
	fi
}

# Decides about each edit: is it in the way of the new composition?
check_edits() {
	local what path next blocked=() kept=()

	KEEP=$'\n'
	while read -r what path; do
		next=$NEW/files/$path
		[[ -e $next ]] || next=$BASE_DIR/$path
		if [[ $what == new && ! -e $next ]]; then
			warn "note: build/linux/$path is new and not in the repository"
		elif same "$LINUX/$path" "$next" || [[ -n $FORCE ]]; then
			continue
		elif same "$next" "$(expected "$path")"; then
			kept+=("$path")
			KEEP+=$path$'\n'
		else
			blocked+=("$path")
		fi
	done < <(find_edits)
	if ((${#blocked[@]})); then
		printf '    %s\n' "${blocked[@]}" >&2
		die "edited in build/linux, while the repository's side of the same files changed too" \
		    "put the repository's side back and run 'make refresh' (keeps the edit), or run 'make tree FORCE=1' (discards it)"
	fi
	if ((${#kept[@]})); then
		if [[ -n $STRICT ]]; then
			printf '    %s\n' "${kept[@]}" >&2
			die "edited in build/linux, but not in the series" \
			    "'make refresh' puts the edits into the series, 'make tree FORCE=1' throws them away"
		fi
		for path in "${kept[@]}"; do
			warn "note: $path is edited in build/linux and not yet in the series (make refresh)"
		done
	fi
}

# Replaces by rename, and only what differs; the time of change is now
install_file() {
	local from=$1 to=$2

	if cmp -s "$from" "$to"; then
		return
	fi
	mkdir -p "$(dirname "$to")"
	cp --preserve=mode "$from" "$to.tmp.$$"
	mv -f "$to.tmp.$$" "$to"
	CHANGED=$((CHANGED + 1))
}

copy_linux() {
	if [[ -d $LINUX ]] && cmp -s "$BASE_DIR.generation" "$STAMP"; then
		return
	fi
	if [[ -d $LINUX && -f $STAMP ]]; then
		# another base: bring over what differs, leave the rest alone
		step "updating build/linux" "$LOGS/copy" \
			rsync -rlpc --delete "$BASE_DIR/" "$LINUX/"
	else
		rm -rf "$LINUX" "$LINUX.tmp" "$COMPOSED"
		rm_at_exit "$LINUX.tmp"
		step "copying build/base to build/linux" "$LOGS/copy" \
			cp -a --reflink=auto "$BASE_DIR" "$LINUX.tmp"
		mv "$LINUX.tmp" "$LINUX"
	fi
	rm -rf "$COMPOSED"
	# written, not copied: edits are what changed after this moment
	cat "$BASE_DIR.generation" >"$STAMP"
}

compose() {
	local path

	CHANGED=0
	if [[ -n $FORCE ]]; then
		# edits of files that the series does not know
		find_edits | while read -r what path; do
			[[ $what == new || ! -e $BASE_DIR/$path || -e $NEW/files/$path ]] ||
				install_file "$BASE_DIR/$path" "$LINUX/$path"
		done
	fi
	while read -r _ path; do
		[[ $KEEP == *$'\n'"$path"$'\n'* ]] ||
			install_file "$NEW/files/$path" "$LINUX/$path"
	done <"$NEW/list"
	if [[ -f $COMPOSED/list ]]; then
		while read -r _ path; do
			if [[ -e $NEW/files/$path ]]; then
				continue
			elif [[ -e $BASE_DIR/$path ]]; then
				install_file "$BASE_DIR/$path" "$LINUX/$path"
			else
				rm -f "$LINUX/$path"
				rmdir -p --ignore-fail-on-non-empty "$(dirname "$LINUX/$path")" 2>/dev/null || :
				CHANGED=$((CHANGED + 1))
			fi
		done <"$COMPOSED/list"
	fi
	rm -rf "$COMPOSED"
	mv "$NEW" "$COMPOSED"
}

summary() {
	local version patches overlays

	version=$(make -s -C "$LINUX" kernelversion 2>/dev/null || echo 6.12)
	patches=$(series_patches | wc -l)
	overlays=$(grep -c '^overlay ' "$COMPOSED/list" || :)
	if [[ -s $NOTES ]]; then
		while IFS= read -r note; do
			warn "note: $note"
		done <"$NOTES"
	fi
	say "Linux $version, $patches patches, $overlays new files; $CHANGED changed in build/linux"
}

STRICT=
case ${1:-} in
'')		;;
--strict)	STRICT=1 ;;
--edits)	find_edits; exit 0 ;;
--unchanged)	series_unchanged; exit ;;
*)		die "unknown argument $1" ;;
esac

prepare_build
need quilt patch rsync python3 tar
lock tree
prepare_base
check_series
push_series
gather
copy_linux
check_edits
compose
summary
