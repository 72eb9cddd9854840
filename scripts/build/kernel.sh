#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the composed tree: bzImage, vmlinux with BTF, and the user-space headers
# (usr/include).
#
#   kernel.sh [VARIANT]
#
# The configuration is tinyconfig plus configs/vm.config; of a variant tinyconfig plus
# the fragments that configs/VARIANT.config names and itself. Of what they say twice
# the last word counts. An option that does not make it into the final .config stops
# the build, and so does a warning in our lines.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/our-code build/variants

VARIANT=${1:-}

# All that the configuration depends on
config_inputs() {
	local path

	cat "$BASE_DIR.generation" "${FRAGMENTS[@]}"
	"${CROSS}gcc" --version | head -n 1
	composed_files | cut -d ' ' -f 2- | grep -E '(^|/)Kconfig[^/]*$' | sort -u |
		while IFS= read -r path; do
			sha256sum "$LINUX/$path"
		done
}

# What the fragments ask for, the last word on each option
wanted_options() {
	cat "${FRAGMENTS[@]}" | awk '
		/^CONFIG_[A-Za-z0-9_]+=/ { split($0, a, "="); want[a[1]] = $0 }
		/^# CONFIG_[A-Za-z0-9_]+ is not set/ { want[$2] = $0 }
		END { for (name in want) print want[name] }' | sort
}

check_config() {
	local line name missing=()

	while IFS= read -r line; do
		if [[ $line == \#* ]]; then
			name=${line#\# }
			name=${name%% *}
			if grep -q "^$name=" "$OUT/.config"; then
				missing+=("$line (is: $(grep "^$name=" "$OUT/.config"))")
			fi
		elif ! grep -qxF -e "$line" "$OUT/.config"; then
			name=${line%%=*}
			missing+=("$line (is: $(grep -E "^(# )?${name}[= ]" "$OUT/.config" || echo unknown or not reachable))")
		fi
	done < <(wanted_options)
	if ((${#missing[@]})); then
		printf '    %s\n' "${missing[@]}" >&2
		die "options that did not make it into $(rel "$OUT")/.config" \
		    "a dependency is missing in $(rel "${FRAGMENTS[-1]}"), or the kernel has no such option"
	fi
}

configure() {
	kmake "$OUT" tinyconfig
	(cd "$LINUX" && scripts/kconfig/merge_config.sh -m -O "$OUT" "$OUT/.config" "${FRAGMENTS[@]}")
	kmake "$OUT" olddefconfig
}

need_tree
variant "$VARIANT"
need "${CROSS}gcc" make flex bison bc
prepare_build
lock "kernel-$(basename "$OUT")"
mkdir -p "$OUT"
log=$LOGS/$(basename "$OUT")

inputs=$(config_inputs | sha256sum)
if [[ ! -f $OUT/.config || ! -f $OUT/.config.inputs || $(<"$OUT/.config.inputs") != "$inputs" ]]; then
	rm -f "$OUT/.config.inputs"
	step "configuring" "$log-config" configure
	check_config
	echo "$inputs" >"$OUT/.config.inputs"
fi

build() {
	local targets=("$IMAGE" headers)

	! grep -q '^CONFIG_MODULES=y' "$OUT/.config" || targets+=(modules)
	kmake "$OUT" -j"$JOBS" "${targets[@]}"
}

HINT="try again with one job to see the error last: make kernel${VARIANT:+-$VARIANT} JOBS=1"
# What a build that did not end well warned of must be compiled again, to be told again;
# files of the base, too, that include a header of ours
if [[ -e $OUT/.unfinished ]] && our_warnings "$log" "$OUT" >/dev/null; then
	find "$OUT" -name '*.o' -newer "$OUT/.unfinished" -delete
fi
: >"$OUT/.unfinished"
step "building $(rel "$OUT")" "$log" build
if our_warnings "$log" "$OUT" >&2; then
	die "the compiler warns of the above in our code (log: $(rel "$log"))"
fi
rm -f "$OUT/.unfinished"
say "$(rel "$OUT")/$IMAGE_PATH is up to date"
