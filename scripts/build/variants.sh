# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Kernels of other configurations. configs/NAME.config is one if it has lines like these:
#
#	# On top of: vm.config lockdep.config
#	# Architecture: arm64			(if it is not x86_64)

use build/env

variants() {
	grep -l '^# On top of: ' "$REPO"/configs/*.config | sed 's|.*/\(.*\)\.config$|\1|'
}

# variant_says WHAT FILE
variant_says() {
	sed -n "s/^# $1: *//p" "$2"
}

# variant NAME: sets OUT, FRAGMENTS, IMAGE, IMAGE_PATH, KARCH and CROSS; those of the
# kernel of all other tests if there is no NAME
variant() {
	local file=$REPO/configs/$1.config name

	OUT=$BUILD/kernel${1:+-$1}
	FRAGMENTS=("$REPO/configs/vm.config")
	if [[ -n $1 ]]; then
		[[ -f $file && -n $(variant_says 'On top of' "$file") ]] ||
			die "there is no variant '$1'" "there are: $(variants | xargs)"
		FRAGMENTS=()
		for name in $(variant_says 'On top of' "$file"); do
			FRAGMENTS+=("$REPO/configs/$name")
		done
		FRAGMENTS+=("$file")
		KARCH=$(variant_says Architecture "$file")
	fi
	IMAGE=bzImage
	IMAGE_PATH=arch/x86/boot/bzImage
	case ${KARCH:=x86_64} in
	x86_64|i386) ;;
	arm64)
		CROSS=aarch64-linux-gnu-
		IMAGE=Image
		IMAGE_PATH=arch/arm64/boot/Image
		;;
	*)
		die "${file}: unknown architecture $KARCH"
		;;
	esac
}
