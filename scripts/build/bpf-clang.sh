#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bpf-clang.sh CLANG-ARGS... -c FILE -o OBJECT: compiles FILE for BPF, the same wherever
# it is.
#
# clang orders what it knows of BTF by name only (forward declarations) by addresses in
# its memory, and these change with the lengths of the paths that it has there. So the
# clang that writes BTF gets preprocessed text, on its standard input, and no path: those
# in LINUX and OBJ, of the environment, are made relative.

set -euo pipefail

[[ $# -ge 4 && ${*: -4:1} == -c && ${*: -2:1} == -o ]] || {
	echo "usage: LINUX=DIR OBJ=DIR $0 CLANG-ARGS... -c FILE -o OBJECT" >&2
	exit 2
}
object=${*: -1}
# Not half an object, which make would take for a whole one
trap 'rm -f "$object.tmp"' EXIT
flags=()
for arg in "${@:1:$#-4}"; do
	[[ $arg == -I* ]] || flags+=("$arg")
done
clang "${@:1:$#-4}" -E "${*: -3:1}" | sed "s|$LINUX/||g; s|$OBJ/||g" |
	(cd / && exec clang "${flags[@]}" -x cpp-output -c - -o -) >"$object.tmp"
mv "$object.tmp" "$object"
