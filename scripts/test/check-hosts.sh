#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the README's two commands, "make demo" and "make check", on fresh Debian systems.
# The environment chooses:
#
#   HOSTS='13 12'            the versions of Debian
#   COMMANDS='demo check'    the commands
#
# Each system is a minimal one, made by mmdebstrap from the mirrors that this machine's apt
# uses, with a clone of HEAD. The commands run in a chroot with its own mount and process
# namespaces, so they see none of the packages of this machine, and leave no mounts or
# processes behind: in Debian 13 as a user with sudo, in Debian 12 as root. Prints a table,
# also to build/hosts/table.txt. Takes hours, and 30 GB.
#
# The compiler caches of the systems are kept in build/hosts, and a system is kept until
# the next run if a command failed there: build/hosts/VERSION/root.

if ((EUID != 0)); then
	exec sudo env HOSTS="${HOSTS:-}" JOBS="${JOBS:-}" TEST_TIMEOUT="${TEST_TIMEOUT:-}" \
		SKIP_DEPS="${SKIP_DEPS:-}" COMMANDS="${COMMANDS:-}" ACCEL="${ACCEL:-}" "$0" "$@"
fi
# empty is unset
JOBS=${JOBS:-$(nproc)}

. "$(dirname "$0")/../lib.sh"
use build/debian-suites

OUT=$BUILD/hosts
TABLE=$OUT/table.txt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# The README expects git, make and sudo; ca-certificates and passwd are on every machine
PACKAGES=ca-certificates,git,make,passwd,sudo
declare -A CODENAMES=([12]=bookworm [13]=trixie)
declare -A USERS=([12]=root [13]=tester)
FAILED=0

# The mirrors are the machine's own
sources() {
	local label uri suites

	while read -r label uri; do
		case $label in
		Debian)		suites="$1 $1-updates" ;;
		Debian-Security) suites=$1-security ;;
		esac
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
			"$uri" "$suites" "$KEYRING"
	done < <(mirrors)
}

# So are the proxies
apt_options() {
	apt-config dump | sed -n 's/^\(Acquire::[a-z]*::Proxy.*\)$/--aptopt=\1/p'
}

bootstrap() {
	local dir=$1 codename=$2 options

	mapfile -t options < <(apt_options)
	# with mounts of its own, which nobody has to undo if it is ended
	unshare --mount mmdebstrap --mode=root --variant=apt --include="$PACKAGES" "${options[@]}" \
		"$codename" "$dir/root" "$dir/debian.sources"
}

# Adds the user, the host name, which sudo looks up, and the repository
settle() {
	local root=$1/root user=$2 codename=$3

	printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$codename" >"$root/etc/hosts"
	echo "$codename" >"$root/etc/hostname"
	if [[ $user != root ]]; then
		chroot "$root" useradd --create-home --shell /bin/bash "$user"
		install -m 440 /dev/stdin "$root/etc/sudoers.d/$user" <<<"$user ALL=(ALL) NOPASSWD: ALL"
	fi
	git -c safe.directory='*' -C "$REPO" bundle create "$root/tmp/repository" HEAD
	chmod 644 "$root/tmp/repository"
}

# inside DIR USER COMMAND: runs it like a login of that user. Its mounts and processes end
# with it.
inside() {
	unshare --mount --pid --ipc --uts --fork --kill-child \
		"$SCRIPTS/test/check-hosts.sh" --inside "$@"
}

# as_first DIR USER COMMAND: the init process of the namespace
as_first() {
	local root=$1/root user=$2 command=$3 home cache

	home=$(awk -F : -v user="$user" '$1 == user { print $6 }' "$root/etc/passwd")
	cache=$root$home/.cache/ccache
	cat "$root/etc/hostname" >/proc/sys/kernel/hostname
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
	chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
		mkdir -p "${cache#"$root"}"
	mkdir -p "$1/ccache"
	chown --reference="$cache" "$1/ccache"
	mount --bind "$1/ccache" "$cache"
	# not exec: init has to reap orphans
	chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
		env -i HOME="$home" USER="$user" LOGNAME="$user" TERM=dumb JOBS="$JOBS" \
		${TEST_TIMEOUT:+TEST_TIMEOUT="$TEST_TIMEOUT"} ${ACCEL:+ACCEL="$ACCEL"} \
		bash -l -c "cd && $command"
}

# result LOG: the last line of make check
result() {
	grep -x '[0-9]* passed, [0-9]* failed, [0-9]* skipped' "$1" | tail -n 1
}

# base_version DIR, compiler DIR: those of a system
base_version() {
	# shellcheck disable=SC2016 # the format is dpkg's
	chroot "$1/root" dpkg-query -W -f '${source:Upstream-Version}' linux-source-6.12 2>/dev/null
}

compiler() {
	chroot "$1/root" gcc -dumpfullversion 2>/dev/null
}

# row HOST USER BASE COMPILER DEMO CHECK
row() {
	printf '%-10s %-7s %-9s %-7s %-7s %s\n' "$@"
}

asked() {
	[[ " $COMMANDS " == *" $1 "* ]]
}

# run_command HOST USER COMMAND: says how long it took
run_command() {
	local host=$1 user=$2 command=$3

	step "make $command on Debian $host" "$LOGS/hosts-$host-$command" \
		inside "$OUT/$host" "$user" "cd bpf-streams && make $command"
}

make_host() {
	local dir=$1 user=$2 codename=$3 log=$4

	mkdir -p "$dir"
	rm -rf --one-file-system "$dir/root"
	sources "$codename" >"$dir/debian.sources"
	[[ -s $dir/debian.sources ]] || die "apt knows no mirror of Debian" "run: apt-get update"
	step "making $codename" "$log-system" bootstrap "$dir" "$codename" || return
	step "settling in" "$log-settle" settle "$dir" "$user" "$codename" || return
	step "cloning" "$log-clone" inside "$dir" "$user" \
		"git clone -q /tmp/repository bpf-streams"
}

check_host() {
	local host=$1 dir=$OUT/$1 user=${USERS[$1]} log=$LOGS/hosts-$1
	local demo=- check=- failed=

	if ! make_host "$dir" "$user" "${CODENAMES[$1]}" "$log"; then
		row "Debian $host" "$user" - - - "could not be made" >>"$TABLE"
		return 1
	fi
	if asked demo; then
		demo=ok
		run_command "$host" "$user" demo || demo=failed
	fi
	if asked check; then
		run_command "$host" "$user" check || failed=" (failed)"
		check=$(result "$log-check" || :)$failed
	fi
	row "Debian $host" "$user" "$(base_version "$dir")" "$(compiler "$dir")" "$demo" \
		"$check" >>"$TABLE"
	[[ $demo != failed && -z $failed ]] || return 1
	rm -rf --one-file-system "$dir/root"
}

if [[ ${1:-} == --inside ]]; then
	shift
	# the outer process does give_back()
	trap - EXIT
	as_first "$@"
	exit
fi
HOSTS=${HOSTS:-13 12}
COMMANDS=${COMMANDS:-demo check}
for command in $COMMANDS; do
	[[ $command == demo || $command == check ]] ||
		die "'$command' is no command of the README" "there are: demo check"
done
for host in $HOSTS; do
	[[ -n ${CODENAMES[$host]:-} ]] ||
		die "there is no host '$host'" "there are: 13 12, the versions of Debian"
done
prepare_build
[[ -n ${SKIP_DEPS:-} ]] || child "$SCRIPTS/build/deps.sh"
need mmdebstrap unshare setpriv chroot git
lock hosts
mkdir -p "$OUT"
git -c safe.directory='*' -C "$REPO" diff --quiet HEAD ||
	warn "note: changes that are not committed are not tested"
row host user base gcc demo check >"$TABLE"
for host in $HOSTS; do
	check_host "$host" || FAILED=$((FAILED + 1))
done
cat "$TABLE"
((FAILED == 0)) || die "commands failed on $FAILED of these hosts" "the table: $(rel "$TABLE"); the logs: $(rel "$LOGS")/hosts-*"
