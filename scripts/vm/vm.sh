#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots a kernel in qemu with our initramfs and runs one command, or a shell.
# "vm.sh --help" tells the rest.

. "$(dirname "$0")/../lib.sh"
use build/link
SAY_FD=2

usage() {
	cat <<-'END'
	vm.sh [OPTION...] [-- COMMAND...]

	Runs COMMAND (text for a shell; else $CMD) in a virtual machine and exits with
	its status; what it prints comes out as is. Without a command: a shell.

	  --kernel FILE      bzImage, or Image for arm64 ($KERNEL; else build/kernel's)
	  --initramfs FILE   ($INITRAMFS; else build/initramfs-MACHINE.cpio, brought up to date)
	  --add FILE:PATH    puts FILE at PATH in the guest, and beside it the shared
	                     libraries that it needs; may be given again
	  --accel kvm|tcg    ($ACCEL; else kvm if a trial boot works, tcg if not)
	  --smp N            CPUs ($SMP; else 2)
	  --mem MB           memory ($MEM; else 1024)
	  --cpu MODEL        ($CPU; else host for kvm, max for tcg)
	  --append ARGS      more kernel arguments ($APPEND)
	  --timeout SECONDS  limit for the command ($TIMEOUT; else 600; none for a shell)
	  --boot-timeout SECONDS   limit for one boot ($BOOT_TIMEOUT; else 180)
	  --icount           the guest's clock counts instructions (tcg only)
	  --one-thread       tcg emulates all CPUs in one thread: slower, but no CPU
	                     runs code that another one is just patching
	  --gdb PORT         gdb may connect: target remote localhost:PORT ($GDB)
	  --scan             fails if the kernel's messages tell of trouble
	  --kcsan FILE       of data races only those with a function that FILE lists
	  --log FILE         kernel's messages (else build/log/vm-NNN.console)
	  --result FILE      how it ended, one line: "exit N", "panic", "timeout",
	                     "died", "noboot"

	Status: the command's; 124 at the time limit, 125 if the machine panicked,
	died, or never came up, or if --scan found something. A message says which.
	END
}

# Defaults come from the environment, that is from "make vm NAME=value"
KERNEL=${KERNEL:-$BUILD/kernel/arch/x86/boot/bzImage}
INITRAMFS=${INITRAMFS:-}
ACCEL=${ACCEL:-}
SMP=${SMP:-2}
MEM=${MEM:-1024}
CPU=${CPU:-}
APPEND=${APPEND:-}
TIMEOUT=${TIMEOUT:-}
BOOT_TIMEOUT=${BOOT_TIMEOUT:-180}
COMMAND=${CMD:-}
GDB=${GDB:-}
TRIES=3
ICOUNT=
THREADS=multi
SCAN=
SCAN_ARGS=()
LOG=
RESULT=
ADD=()

parse_args() {
	while (($#)); do
		case $1 in
		--help|-h)	usage; exit 0 ;;
		--icount)	ICOUNT=1; shift; continue ;;
		--one-thread)	THREADS=single; shift; continue ;;
		--scan)		SCAN=1; shift; continue ;;
		--)		shift; COMMAND="$*"; break ;;
		--*)		(($# > 1)) || die "option $1 needs a value" "see: scripts/vm/vm.sh --help" ;;
		*)		die "do not know what '$1' is" "put -- before the command; see: scripts/vm/vm.sh --help" ;;
		esac
		case $1 in
		--kernel)	KERNEL=$2 ;;
		--initramfs)	INITRAMFS=$2 ;;
		--add)		ADD+=("$2") ;;
		--accel)	ACCEL=$2 ;;
		--smp)		SMP=$2 ;;
		--mem)		MEM=$2 ;;
		--cpu)		CPU=$2 ;;
		--append)	APPEND=$2 ;;
		--timeout)	TIMEOUT=$2 ;;
		--gdb)		GDB=$2 ;;
		--kcsan)	SCAN_ARGS=(--kcsan "$2") ;;
		--boot-timeout)	BOOT_TIMEOUT=$2 ;;
		--tries)	TRIES=$2 ;;
		--log)		LOG=$2 ;;
		--result)	RESULT=$2 ;;
		*)		die "unknown option $1" "see: scripts/vm/vm.sh --help" ;;
		esac
		shift 2
	done
}

# number NAME VALUE LEAST
number() {
	if [[ ! $2 =~ ^[0-9]+$ ]] || (($2 < $3)); then
		die "$1 must be a number of at least $3, not '$2'"
	fi
}

check_args() {
	local add

	number SMP "$SMP" 1
	number MEM "$MEM" 64
	number TIMEOUT "${TIMEOUT:=600}" 1
	number BOOT_TIMEOUT "$BOOT_TIMEOUT" 1
	[[ -z $GDB ]] || number GDB "$GDB" 1
	case $ACCEL in
	''|kvm|tcg) ;;
	*) die "ACCEL must be kvm or tcg, not '$ACCEL'" ;;
	esac
	[[ -f $KERNEL ]] || die "no kernel at $(rel "$KERNEL")" "build it with: make kernel"
	if [[ -n $ICOUNT && $ACCEL == kvm ]]; then
		die "--icount works with tcg only"
	fi
	for add in ${ADD[@]+"${ADD[@]}"}; do
		[[ $add == *:/* && -f ${add%%:*} ]] ||
			die "--add $add: there must be a file, a colon and an absolute path in the guest"
	done
	if [[ -z $COMMAND && ! -t 0 ]]; then
		die "the shell needs a terminal" "run one command with: make vm CMD='...'"
	fi
}

# Where the symbols of the kernel are, if it is one of ours
vmlinux() {
	echo "${KERNEL%/arch/*}/vmlinux"
}

# The first free build/log/vm-NNN.console, taken at once
pick_log() {
	local n

	[[ -z $LOG ]] || return 0
	for ((n = 1; ; n++)); do
		LOG=$LOGS/vm-$(printf %03d $n).console
		if (set -o noclobber; : >"$LOG") 2>/dev/null; then
			return
		fi
		[[ -e $LOG ]] || die "cannot write $LOG"
	done
}

# What this run tells the guest goes into a second archive behind the first
make_initrd() {
	local dir=$WORK/root add files=() rows=24 columns=80

	mkdir -p "$dir/vm"
	echo "$TOKEN" >"$dir/vm/token"
	echo "$PORT" >"$dir/vm/port"
	if [[ -n $COMMAND ]]; then
		printf '%s\n' "$COMMAND" >"$dir/vm/command"
	else
		read -r rows columns < <(stty size) || :
		((rows)) || rows=24
		((columns)) || columns=80
		echo "$rows $columns ${TERM:-linux}" >"$dir/vm/terminal"
	fi
	for add in ${ADD[@]+"${ADD[@]}"}; do
		files+=("${add%%:*}")
	done
	add_libraries "$dir" "${files[@]}"
	for add in ${ADD[@]+"${ADD[@]}"}; do
		mkdir -p "$dir$(dirname "${add#*:}")"
		cp "${add%%:*}" "$dir${add#*:}"
	done
	cp "$INITRAMFS" "$WORK/initrd"
	(cd "$dir" && find . -mindepth 1 | sort |
		cpio -o -H newc --quiet --owner 0:0) >>"$WORK/initrd"
}

# An Image for arm64 says so; all others are for PCs
find_machine() {
	MACHINE=x86_64
	PORT=ttyS1
	CONSOLE=ttyS0,115200
	if [[ $(tail -c +57 "$KERNEL" | head -c 3 | tr -d '\0') == ARM ]]; then
		MACHINE=aarch64
		PORT=ttyS0
		CONSOLE=ttyAMA0
	fi
}

# The console, and the port that the command has
serial_args() {
	QEMU+=(-chardev "file,id=console,path=$LOG" -serial chardev:console)
	if [[ $MACHINE == aarch64 ]]; then
		QEMU+=(-M "virt,mte=on" -device "pci-serial,chardev=tty")
	else
		QEMU+=(-serial chardev:tty)
	fi
}

qemu_args() {
	local accel=$1 cpu=max

	QEMU=("qemu-system-$MACHINE" -no-user-config -nodefaults -display none -no-reboot
	      -kernel "$KERNEL" -initrd "$WORK/initrd" -m "$MEM" -smp "$SMP"
	      -append "console=$CONSOLE panic=-1 loglevel=8 log_buf_len=4M printk.devkmsg=on $APPEND")
	serial_args
	if [[ $accel == kvm ]]; then
		QEMU+=(-accel kvm)
		cpu=host
	elif [[ -n $ICOUNT ]]; then
		QEMU+=(-accel tcg -icount "shift=0,sleep=off")
	else
		QEMU+=(-accel "tcg,thread=$THREADS")
	fi
	QEMU+=(-cpu "${CPU:-$cpu}")
	[[ -z $GDB ]] || QEMU+=(-gdb "tcp:localhost:$GDB")
	if [[ -n $COMMAND ]]; then
		QEMU+=(-chardev "stdio,id=tty,signal=off")
	else
		QEMU+=(-chardev "stdio,id=tty,mux=on,signal=off" -mon "chardev=tty,mode=readline")
	fi
}

running() {
	alive "$CHILD"
}

in_log() {
	grep -a -q -e "$1" "$LOG"
}

kill_machine() {
	kill -TERM "$CHILD" 2>/dev/null || :
	for ((i = 0; i < 20; i++)); do
		running || break
		pause 0.1
	done
	kill -KILL "$CHILD" 2>/dev/null || :
	wait "$CHILD" 2>/dev/null || :
	CHILD=
}

# Watches the machine until it ends or has to be ended
watch_machine() {
	local start=$SECONDS

	UP=''
	ENDED=''
	while running; do
		pause 0.2
		if [[ -n $ENDED ]]; then
			# it said how the command ended; now it has to go
			if ((SECONDS - start > 15)); then
				kill_machine
				return
			fi
		elif [[ -n $UP ]]; then
			if in_log "vm-$TOKEN: exit [0-9]"; then
				ENDED=1 start=$SECONDS
			elif [[ -n $COMMAND ]] && ((SECONDS - start >= TIMEOUT)); then
				OUTCOME=timeout
				kill_machine
				return
			fi
		elif in_log "vm-$TOKEN: init"; then
			UP=1 start=$SECONDS
		elif ((SECONDS - start >= BOOT_TIMEOUT)); then
			OUTCOME=noboot
			kill_machine
			return
		fi
	done
	wait "$CHILD" 2>/dev/null || :
	CHILD=
}

# How it ended, from what the machine's console shows
conclude() {
	local status

	status=$(grep -a -o -E "vm-$TOKEN: exit [0-9]+" "$LOG" | tail -n 1) || :
	if [[ -n $status ]]; then
		OUTCOME="exit ${status##* }"
	elif in_log 'Kernel panic - not syncing'; then
		OUTCOME=panic
	elif [[ -n $OUTCOME ]]; then
		return
	elif in_log "vm-$TOKEN: init"; then
		OUTCOME=died
	else
		OUTCOME=noboot
	fi
}

run_machine() {
	TOKEN=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
	make_initrd
	qemu_args "$1"
	: >"$LOG"
	OUTCOME=
	# Killed with us, whatever happens to us. In a session of its own, so that
	# the terminal's interrupt comes to us alone; but the shell needs a terminal.
	if [[ -n $COMMAND ]]; then
		setpriv --pdeathsig KILL setsid "${QEMU[@]}" </dev/null 2>"$WORK/stderr" &
	else
		setpriv --pdeathsig KILL "${QEMU[@]}" <&0 2>"$WORK/stderr" &
	fi
	CHILD=$!
	CHILD_GROUP=
	watch_machine
	conclude
	grep -v 'terminating on signal' "$WORK/stderr" | sed 's/^/qemu      /' >&2 || :
}

# kvm may be there without being able to boot anything: try, once per boot of
# the host, and remember
kvm_works() {
	local key cache=$BUILD/kvm-probe outcome=

	[[ -w /dev/kvm && $MACHINE == "$(uname -m)" ]] || return 1
	key="$(</proc/sys/kernel/random/boot_id) $(qemu-system-x86_64 --version | head -n 1)"
	if [[ -f $cache ]] && read -r outcome <"$cache" &&
	   [[ $(tail -n 1 "$cache") == "$key" ]]; then
		[[ $outcome == yes ]]
		return
	fi
	say "trying whether kvm works (30 s at most)"
	outcome=no
	if CMD='' child "$SCRIPTS/vm/vm.sh" --accel kvm --boot-timeout 30 --timeout 30 \
	   --tries 1 --cpu '' --append '' --kernel "$KERNEL" --initramfs "$INITRAMFS" --log "$WORK/probe" -- true \
	   >"$WORK/probe.out" 2>&1; then
		outcome=yes
	fi
	say "kvm works: $outcome"
	printf '%s\n%s\n' "$outcome" "$key" | put "$cache"
	[[ $outcome == yes ]]
}

report() {
	case $OUTCOME in
	exit\ *)
		return "${OUTCOME#exit }"
		;;
	panic)
		warn "the kernel panicked:"
		grep -a -m 1 -B 30 'Kernel panic - not syncing' "$LOG" | sed 's/^/    | /' >&2
		;;
	timeout)
		warn "time limit: the command had not ended after $TIMEOUT s (TIMEOUT=seconds changes that)"
		;;
	died)
		warn "the machine went away without telling the command's status (rebooted, powered off or qemu ended)"
		;;
	noboot)
		warn "the machine never reached init (limit $BOOT_TIMEOUT s, BOOT_TIMEOUT=seconds changes that); its last messages:"
		tail -n 15 "$LOG" | sed 's/^/    | /' >&2
		;;
	esac
	warn "the kernel's messages: $(rel "$LOG")"
	[[ $OUTCOME == timeout ]] && return 124
	return 125
}

parse_args "$@"
check_args
find_machine
need "qemu-system-$MACHINE" cpio setpriv
prepare_build
if [[ -z $INITRAMFS ]]; then
	INITRAMFS=$BUILD/initramfs-$MACHINE.cpio
	child "$SCRIPTS/vm/initramfs.sh" "$MACHINE" >&2
fi
for dir in "$BUILD"/vm.*.tmp; do
	# left by one that was killed the hard way
	pid=${dir#"$BUILD"/vm.}
	[[ ! -d $dir ]] || kill -0 "${pid%.tmp}" 2>/dev/null || rm -rf "$dir"
done
WORK=$BUILD/vm.$$.tmp
mkdir "$WORK"
rm_at_exit "$WORK"
if [[ -z $ACCEL ]]; then
	ACCEL=tcg
	if [[ -z $ICOUNT ]] && kvm_works; then
		ACCEL=kvm
	fi
fi
pick_log
if [[ -z $COMMAND ]]; then
	say "booting ($ACCEL, $SMP CPUs, $MEM MB); kernel messages: dmesg, and $(rel "$LOG")"
	[[ -z $GDB ]] || say "to debug: gdb $(rel "$(vmlinux)") -ex 'target remote localhost:$GDB'"
	say "leave with 'exit'; if the machine hangs: Ctrl-A, then X"
	TERMINAL=$(stty -g)
fi
# A boot that never reached init may be the host's fault; anything later is not
for ((try = 1; ; try++)); do
	run_machine "$ACCEL"
	[[ -z ${TERMINAL:-} ]] || stty "$TERMINAL"
	if [[ $OUTCOME != noboot ]] || ((try >= TRIES)); then
		break
	fi
	warn "note: boot $try of at most $TRIES never reached init, trying again"
	cp "$LOG" "$LOG.try$try"
done
if [[ -n $RESULT ]]; then
	echo "$OUTCOME" | put "$RESULT"
fi
rc=0
report || rc=$?
if [[ -n $SCAN && $OUTCOME != noboot ]]; then
	"$SCRIPTS/vm/dmesg-scan.sh" "${SCAN_ARGS[@]}" "$LOG" >&2 || rc=125
fi
exit $rc
