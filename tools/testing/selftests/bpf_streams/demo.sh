#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Shows the demo programs at work, each command as typed. Runs as root on a
# kernel with BPF streams; bpftool is taken from PATH.

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
PATH=$dir:$PATH
tmp=$(mktemp -d /tmp/demo.XXXXXX) || exit 1
pid=

cleanup()
{
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die()
{
	echo "demo: $*" >&2
	exit 1
}

title()
{
	printf '\n== %s\n' "$*"
}

# The command as a user would type it, then what it does
run()
{
	printf '\n$ %s\n' "$*"
	eval "$*" || die "'$*' failed"
}

# Starts a loader in the background and waits for its line with the program's id.
# Runs no command after that: the exec tracepoint would show it.
start()
{
	printf '\n$ %s &\n' "$*"
	: >"$tmp/out"
	eval "$* >>\$tmp/out &"
	pid=$!
	while ! read -r line <"$tmp/out"; do
		kill -0 "$pid" 2>/dev/null || die "'$*' failed"
		sleep 1
	done
	echo "$line"
	id=${line#* has id }
	id=${id%%;*}
}

# Runs a command in the background that prints until the program is gone
follow()
{
	printf '\n$ %s &\n' "$*"
	: >"$tmp/followed"
	eval "$* | tee \$tmp/followed &"
	follower=$!
	while [ ! -s "$tmp/followed" ]; do
		kill -0 "$follower" 2>/dev/null || die "'$*' failed"
		sleep 1
	done
}

stop()
{
	printf '\n$ kill %%1\n'
	kill "$pid"
	wait "$pid" || die "the loader failed"
	pid=
}

# Is it the fdinfo of the program itself (that of a link to it has no counters)?
is_info()
{
	has_id='' has_counters=''
	while read -r key value; do
		case $key in
		prog_id:)	[ "$value" = "$id" ] && has_id=1 ;;
		stream_*)	has_counters=1 ;;
		esac
	done <"$1"
	[ "$has_id$has_counters" = 11 ]
}

# The counters are in the fdinfo of any fd of the program: the loader has one
counters()
{
	for info in "/proc/$pid/fdinfo"/*; do
		if is_info "$info"; then
			run "grep ^stream_ $info"
			return
		fi
	done
	die "no stream counters in the fdinfo of program $id"
}

command -v bpftool >/dev/null || die "no bpftool in PATH"

title "A program that is run on demand"
start "demo_hello world 'BPF streams' ''"
run "bpftool prog tracelog stdout id $id"
run "bpftool prog tracelog stderr id $id"
counters
stop

title "A program that accesses memory which isn't there"
start "demo_visits 7 7 70000"
run "bpftool prog tracelog stdout id $id"
run "bpftool prog tracelog stderr id $id"
stop

title "Programs that take locks"
start "demo_groups 2 7 7"
run "bpftool prog tracelog stdout name print_groups"
run "bpftool prog tracelog stderr name transfer"
stop

title "A program attached to the exec tracepoint"
start demo_execwatch
run "/bin/uname -s"
run "printf '#!/bin/sh\necho setting up\n' >$tmp/setup"
run "/bin/chmod +x $tmp/setup"
run "$tmp/setup"
run "bpftool prog tracelog stdout name execwatch"
run "bpftool prog tracelog stderr id $id"
counters
stop

title "Following it, as lines of JSON, until it is unloaded"
start demo_execwatch
follow "bpftool -w -j prog tracelog all name execwatch"
run "/bin/uname -s"
stop
wait "$follower" || die "the follower failed"
echo "(bpftool has ended with the program)"
