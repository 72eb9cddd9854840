# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What all scripts share; sourced, never run. A script begins with
#
#	. "$(dirname "$0")/../lib.sh"
#	use series/lib build/env

set -euo pipefail
export LC_ALL=C

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Another folder for a script that our own scripts call
BUILD=${BPF_STREAMS_BUILD:-$REPO/build}
LOGS=$BUILD/log
SCRIPTS=$REPO/scripts
SELF=$(basename "$0" .sh)
SAY_FD=1

# Variables given to our make would reach the kernel's make as well
unset MAKEFLAGS MFLAGS MAKEOVERRIDES GNUMAKEFLAGS MAKELEVEL MAKEFILES
unset O KBUILD_OUTPUT OUTPUT ARCH CROSS_COMPILE DESTDIR srctree CDPATH

# What the user can set, with make or in the environment
mapfile -t SETTINGS <"$SCRIPTS/settings.txt"
JOBS=${JOBS:-$(nproc)}

# --- libraries ---

declare -A USED=()

# use LIB...: sources scripts/LIB.sh, unless that has been done. A library uses what it
# needs itself, so the order is of no importance.
use() {
	local lib

	for lib; do
		[[ -z ${USED[$lib]:-} ]] || continue
		USED[$lib]=1
		. "$SCRIPTS/$lib.sh"
	done
}

# --- messages ---

say() {
	printf '%-9s %s\n' "$SELF" "$*" >&"$SAY_FD"
}

warn() {
	printf '%-9s %s\n' "$SELF" "$*" >&2
}

# die MESSAGE [WHAT-TO-DO]
die() {
	printf '%-9s error: %s\n' "$SELF" "$1" >&2
	if [[ -n ${2:-} ]]; then
		printf '%-9s %s\n' "" "$2" >&2
	fi
	exit 1
}

# A path below the repository is shorter to read relative to it
rel() {
	printf '%s' "${1#"$REPO"/}"
}

duration() {
	if (($1 < 60)); then
		printf '%ds' "$1"
	else
		printf '%dm%02ds' $(($1 / 60)) $(($1 % 60))
	fi
}

# --- leaving: temporary files go, children go ---

EXIT_PATHS=()
CHILD=
CHILD_GROUP=
HEARTBEAT=
SILENCE=

# rm_at_exit PATH...: temporary things that must not survive us
rm_at_exit() {
	EXIT_PATHS+=("$@")
}

# A sleep that needs no process: reading from a pipe that stays silent
pause() {
	[[ -n ${SILENCE:-} ]] || exec {SILENCE}<> <(:)
	read -r -t "$1" -u "$SILENCE" || :
}

# Is the process there, and more than a zombie?
alive() {
	local stat

	read -r stat <"/proc/$1/stat" && [[ ${stat##*) } != Z* ]]
} 2>/dev/null

stop_heartbeat() {
	[[ -n $HEARTBEAT ]] || return 0
	kill "$HEARTBEAT" 2>/dev/null || :
	HEARTBEAT=
}

# No "wait" here: this may run in a trap that came during one, and bash can then
# wait for what has gone already
stop_child() {
	local i

	[[ -n $CHILD ]] || return 0
	if [[ -n $CHILD_GROUP ]]; then
		kill -TERM -- "-$CHILD" 2>/dev/null || :
	fi
	kill -TERM "$CHILD" 2>/dev/null || :
	for ((i = 0; i < 100; i++)); do
		alive "$CHILD" || break
		pause 0.1
	done
	if [[ -n $CHILD_GROUP ]]; then
		kill -KILL -- "-$CHILD" 2>/dev/null || :
	fi
	kill -KILL "$CHILD" 2>/dev/null || :
	CHILD=
}

# What root has made in the build folder of somebody else ("sudo make install-tools")
# is his: he goes on there. The systems of check-hosts would not work with another owner.
give_back() {
	((EUID == 0)) || return 0
	[[ -d $BUILD && $(stat -c %u "$REPO") != 0 ]] || return 0
	find "$BUILD" -xdev -path "$BUILD/hosts/*/root" -prune -o \
		-user root -exec chown -h --reference="$REPO" {} +
}

at_exit() {
	stop_heartbeat
	stop_child
	if ((${#EXIT_PATHS[@]})); then
		rm -rf -- "${EXIT_PATHS[@]}"
	fi
	give_back
}

on_signal() {
	trap '' INT TERM HUP
	printf '%-9s %s\n' "$SELF" "interrupted" >&2 || :
	exit $((128 + $1))
}

trap at_exit EXIT
trap 'on_signal 1' HUP
trap 'on_signal 2' INT
trap 'on_signal 15' TERM

# --- running other programs ---

# A program or a shell function, in a process group of its own, so that what it
# starts goes with it. A function stops at what fails even if our caller looks at how it
# ends: "if step ..." would have the shell ignore that within the function, too, were it
# not for the process substitution.
start_child() {
	local out

	CHILD_GROUP=1
	if [[ $(type -t "$1") == function ]]; then
		set -m
		(
			trap - EXIT INT TERM HUP
			exec {out}>&1
			exec < <("$@" >&"$out")
			wait $!
		) &
		set +m
	else
		setpriv --pdeathsig TERM setsid "$@" &
	fi
	CHILD=$!
}

# child CMD...: another of our scripts, in the foreground as far as the user
# can see, but in such a way that a signal that we get reaches it at once
child() {
	local rc=0

	CHILD_GROUP=
	setpriv --pdeathsig TERM "$@" <&0 &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	return $rc
}

heartbeat() {
	local name=$1 log=$2 start=$SECONDS next=30 last

	trap - EXIT INT TERM HUP
	while alive $$; do
		pause 1
		if [[ -t $SAY_FD ]]; then
			last=$(tail -n 1 "$log" 2>/dev/null | tr -cd '[:print:]')
			printf '\r\033[K%-9s %s [%s] %.40s' "$SELF" "$name" \
				"$(duration $((SECONDS - start)))" "$last" >&"$SAY_FD"
		elif ((SECONDS - start >= next)); then
			next=$((next + 30))
			last=$(tail -n 1 "$log" 2>/dev/null | tr -cd '[:print:]')
			say "$name: still at it after $(duration $((SECONDS - start))): ${last:0:60}"
		fi
	done
}

start_heartbeat() {
	heartbeat "$@" &
	HEARTBEAT=$!
}

clear_line() {
	if [[ -t $SAY_FD ]]; then
		printf '\r\033[K' >&"$SAY_FD"
	fi
}

# What to do when a step fails; a script may set it before step
HINT=

step_failed() {
	local name=$1 log=$2 rc=$3

	{
		printf '%-9s error: %s failed (status %d); the end of its log:\n' \
			"$SELF" "$name" "$rc"
		tail -n "${TAIL:-25}" "$log" | sed 's/^/    | /'
		printf '%-9s the log: %s\n' "" "$(rel "$log")"
		if [[ -n $HINT ]]; then
			printf '%-9s %s\n' "" "$HINT"
		fi
	} >&2
}

# step NAME LOG CMD...: runs CMD with its output in LOG, shows that it lives.
# Says nothing about steps that took less than two seconds, unless they fail.
step() {
	local name=$1 log=$2 start=$SECONDS rc=0

	shift 2
	mkdir -p "$(dirname "$log")"
	: >"$log"
	start_heartbeat "$name" "$log"
	start_child "$@" >>"$log" 2>&1 </dev/null
	wait "$CHILD" || rc=$?
	CHILD=
	stop_heartbeat
	clear_line
	if ((rc)); then
		step_failed "$name" "$log" "$rc"
		return $rc
	fi
	if ((SECONDS - start > 1)); then
		say "$name: $(duration $((SECONDS - start)))"
	fi
}

# --- the build folder ---

prepare_build() {
	case $REPO in
	*[[:space:]:]*)
		die "the path of the repository contains a space or a colon: $REPO" \
		    "the kernel's build system cannot handle that; move the repository"
		;;
	esac
	mkdir -p "$LOGS" 2>/dev/null || :
	if [[ ! -w $BUILD || ! -w $LOGS ]]; then
		die "cannot write to $BUILD (it belongs to $(stat -c %U "$BUILD" 2>/dev/null || echo nobody))" \
		    "give it to yourself: sudo chown -R $(id -un) $BUILD"
	fi
}

# lock NAME: one at a time; the lock is freed when the script ends
lock() {
	exec 9>"$BUILD/.lock-$1"
	if ! flock -n 9; then
		say "waiting for another run of this step in the same repository"
		flock 9
	fi
}

unlock() {
	exec 9>&-
}

# need PROGRAM...: for scripts that are called without "make deps" before
need() {
	local prog

	for prog; do
		command -v "$prog" >/dev/null ||
			die "the program '$prog' is not installed" "run: make deps"
	done
}

# put FILE: replaces FILE by what comes on standard input, whole or not at all
put() {
	local tmp=$1.tmp.$$

	cat >"$tmp"
	mv -f "$tmp" "$1"
}

# allow_patterns FILE: checks a list of exceptions, "PATTERN ## REASON" lines, and
# prints the patterns
allow_patterns() {
	local line pattern reason number=0 allow

	allow=$(rel "$1")
	while IFS= read -r line; do
		number=$((number + 1))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		pattern=${line%%##*}
		pattern=${pattern%"${pattern##*[![:space:]]}"}
		reason=${line#*##}
		[[ $line == *'##'* && -n ${reason// /} && -n $pattern ]] ||
			die "$allow:$number: an entry is 'pattern ## reason', and the reason is not optional"
		printf '%s\n' "$pattern"
	done <"$1"
}
