#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what the demo needs, boots the machine and runs the demo in it:
# tools/testing/selftests/bpf_streams/demo.sh.

. "$(dirname "$0")/../lib.sh"

unset CMD KERNEL INITRAMFS
prepare_build
[[ -n ${SKIP_DEPS:-} ]] || child "$SCRIPTS/build/deps.sh"
child "$SCRIPTS/series/tree.sh"
child "$SCRIPTS/build/kernel.sh"
for part in libbpf bpftool selftests; do
	child "$SCRIPTS/build/tools.sh" $part
done
say "booting the machine"
child "$SCRIPTS/vm/vm.sh" --scan --timeout 300 -- /selftests/demo.sh
