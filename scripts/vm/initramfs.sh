#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# initramfs.sh x86_64|aarch64: builds build/initramfs-MACHINE.cpio, the test machine's
# root file system: busybox, tools/bpftool, everything in selftests, the shared
# libraries that these need, and scripts/vm/guest/. Parts that are not built yet are left
# out. Prints nothing when up to date.

. "$(dirname "$0")/../lib.sh"
use build/link

MACHINE=$1
OUT=$BUILD/initramfs-$MACHINE.cpio
STAGE=$BUILD/initramfs.tmp.$$
# Where what runs in the machine was built
FROM=$BUILD
[[ $MACHINE == x86_64 ]] || FROM=$BUILD/arm64

find_busybox() {
	local file

	if [[ $MACHINE != x86_64 ]]; then
		[[ -f $FROM/sysroot/bin/busybox ]] ||
			die "no user space for $MACHINE" "run: make check-configs KERNELS=arm64"
		echo "$FROM/sysroot/bin/busybox"
		return
	fi
	for file in /bin/busybox /usr/bin/busybox; do
		if [[ -x $file ]] && ! ldd "$file" >/dev/null 2>&1; then
			echo "$file"
			return
		fi
	done
	die "no statically linked busybox" "run: make deps"
}

# What may need shared libraries; of another architecture all is static
find_programs() {
	[[ $MACHINE == x86_64 ]] || return 0
	find "$FROM/tools/bpftool" "$FROM/selftests" -maxdepth 1 -type f -perm -u+x 2>/dev/null || :
}

# Everything that goes in, one line each, with what tells one version from another
inputs() {
	local path libraries

	mapfile -t libraries < <(shared_libraries "${PROGRAMS[@]}" | cut -d ' ' -f 1)
	for path in "$BUSYBOX" "$SCRIPTS/vm/guest" "$SCRIPTS"/{vm/initramfs,build/link}.sh \
		    "$FROM/tools/bpftool" "$FROM/selftests" "${libraries[@]}"; do
		if [[ -e $path ]]; then
			find -L "$path" -type f -printf '%p %s %T@ %m\n' | sort
		fi
	done
}

stage() {
	local applet file

	mkdir -p "$STAGE"/{bin,dev,etc,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,vm}
	cp "$BUSYBOX" "$STAGE/bin/busybox"
	# that of another architecture cannot be run, but has nearly the same applets
	for applet in $(busybox --list); do
		[[ $applet == busybox ]] || ln -s busybox "$STAGE/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$STAGE/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$STAGE/etc/group"
	for file in "$SCRIPTS"/vm/guest/*; do
		case $(basename "$file") in
		init)	install -m 755 "$file" "$STAGE/init" ;;
		*)	install -m 755 "$file" "$STAGE/bin/" ;;
		esac
	done
	if [[ -x $FROM/tools/bpftool ]]; then
		cp "$FROM/tools/bpftool" "$STAGE/usr/sbin/bpftool"
	fi
	if [[ -d $FROM/selftests ]]; then
		mkdir "$STAGE/selftests"
		# programs and what they load, not what they were made from
		find "$FROM/selftests" -maxdepth 1 -type f \
			\( -perm -u+x -o -name '*.bpf.o' \) \
			-exec cp -t "$STAGE/selftests/" {} +
	fi
	add_libraries "$STAGE" "${PROGRAMS[@]}"
	(cd "$STAGE" && find . -mindepth 1 | sort |
		cpio -o -H newc --quiet --reproducible --owner 0:0) >"$OUT.tmp.$$"
}

need cpio
prepare_build
lock "initramfs-$MACHINE"
BUSYBOX=$(find_busybox)
mapfile -t PROGRAMS < <(find_programs)
now=$(inputs | sha256sum)
if [[ -f $OUT && -f $OUT.inputs && $(<"$OUT.inputs") == "$now" ]]; then
	exit 0
fi
rm_at_exit "$STAGE" "$OUT.tmp.$$"
rm -f "$OUT.inputs"
stage
mv -f "$OUT.tmp.$$" "$OUT"
echo "$now" >"$OUT.inputs"
