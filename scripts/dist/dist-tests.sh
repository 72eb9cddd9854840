# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tests of what is handed out: packages of the kernel, libbpf's tarball, installed tools,
# releases.

use series/lib build/link test/tap

DIST_WORK=$BUILD/check-dist

# tested_step NAME CMD...: a step of a test, its output in a log
tested_step() {
	local name=$1 log

	log=$LOGS/check-dist-${name//[^a-z0-9]/-}
	shift
	if step "$name" "$log" "$@"; then
		pass
	else
		fail "$name ($(rel "$log"))"
		return 1
	fi
}

# --- packages of the kernel ---

# check_package FILE KIND
check_package() {
	dpkg-deb -f "$1" Package Version Architecture
	[[ $(dpkg-deb -f "$1" Package) == linux-"$2"-6.12.*-bpfstreams ]]
}

# The kernel of the tests, packaged as "make deb" packages any, boots from its package.
# Apart from what "make deb" has built: this one has no drivers for real machines.
deb_tests() {
	local out=$BUILD/check-deb deb dir image

	dir=$out/unpacked
	if ! CONFIG=$BUILD/kernel/.config child "$SCRIPTS/dist/deb.sh" check-deb; then
		fail "make deb"
		return
	fi
	pass
	rm -rf "$dir"
	deb=$(find "$out" -maxdepth 1 -name 'linux-image-*-bpfstreams_*.deb')
	tested_step "the image package has its name" check_package "$deb" image
	tested_step "the image package unpacks" dpkg-deb -x "$deb" "$dir" || return 0
	image=$(find "$dir/boot" -name 'vmlinuz-6.12.*-bpfstreams')
	if [[ -z $image ]]; then
		fail "no vmlinuz in $(rel "$deb")"
		return
	fi
	# shellcheck disable=SC2016 # for the guest's shell
	tested_step "the kernel of the package boots" "$SCRIPTS/vm/vm.sh" --kernel "$image" \
		--boot-timeout 600 --scan -- \
		'uname -r; case $(uname -r) in 6.12.*-bpfstreams) ;; *) exit 1 ;; esac; run-tests 300 test_demos.sh'
}

# --- libbpf's tarball ---

libbpf_unpack() {
	local tarball

	tarball=$(find "$BUILD/dist" -maxdepth 1 -name 'libbpf-*.tar.xz')
	tar -C "$DIST_WORK" -xf "$tarball"
	mv "$DIST_WORK"/libbpf-* "$DIST_WORK/libbpf"
}

# libbpf_make DIR ARGS...: builds in DIR/obj, installs in DIR/root
libbpf_make() {
	mkdir -p "$1/obj"
	# -Werror, here alone: other compilers may know more warnings
	make -C "$DIST_WORK/libbpf/src" -j"$JOBS" OBJDIR="$1/obj" DESTDIR="$1/root" PREFIX=/usr \
		EXTRA_CFLAGS=-Werror "${@:2}" install install_uapi_headers
}

# What each way of building must install, and no more
libbpf_installed() {
	local dir=$1/root/usr so

	for file in lib64/libbpf.a lib64/pkgconfig/libbpf.pc include/bpf/libbpf.h \
		    include/bpf/bpf_streams.h include/bpf/bpf_helper_defs.h include/linux/bpf.h; do
		[[ -f $dir/$file ]] || { echo "$file is missing"; return 1; }
	done
	so=$(find "$dir" -name 'libbpf.so*' | wc -l)
	echo "$so files of the shared library"
	((so == $2))
}

# pkg_config DIR ARGS...: of what is installed in DIR/root
pkg_config() {
	PKG_CONFIG_SYSROOT_DIR=$1/root PKG_CONFIG_PATH=$1/root/usr/lib64/pkgconfig \
		pkg-config "${@:2}" libbpf
}

# By its headers alone, with the types of the kernel's
compile_bpf() {
	clang -g -O2 --target=bpf -mcpu=v3 -Wall -Werror -isystem "$1/root/usr/include" \
		-isystem "$BUILD/selftests/build" \
		-c "$LINUX/tools/testing/selftests/bpf_streams/progs/hello.bpf.c" \
		-o "$DIST_WORK/hello.bpf.o"
}

# compile_reader DIR static|shared: static is libbpf, and all else where libelf can be
compile_reader() {
	local flags=()

	if [[ $2 == static ]]; then
		mapfile -t flags < <(static_flag gcc)
	fi
	# shellcheck disable=SC2046 # words
	gcc -O2 -Wall -Werror $(pkg_config "$1" --cflags) -o "$DIST_WORK/read_stream-$2" \
		"$SCRIPTS/dist/read_stream.c" "${flags[@]}" \
		$(pkg_config "$1" "--$2" --libs)
}

# read_in_vm static|shared ADD...: it reads what the program printed, twice
read_in_vm() {
	local kind=$1 out=$DIST_WORK/read-$1

	shift
	"$SCRIPTS/vm/vm.sh" --scan --add "$DIST_WORK/read_stream-$kind:/dist/read_stream" \
		--add "$DIST_WORK/hello.bpf.o:/dist/hello.bpf.o" "$@" -- \
		'LD_LIBRARY_PATH=/dist/lib /dist/read_stream /dist/hello.bpf.o' | tr -d '\r' | tee "$out"
	grep -qxF 'read: run 1: nobody to greet' "$out" &&
		grep -qxF 'followed: run 2: nobody to greet' "$out"
}

libbpf_tests() {
	local both=$DIST_WORK/both static=$DIST_WORK/static

	rm -rf "$DIST_WORK"
	mkdir -p "$DIST_WORK"
	if ! child "$SCRIPTS/dist/libbpf-dist.sh"; then
		fail "make libbpf-dist"
		return
	fi
	pass
	tested_step "libbpf's tarball unpacks" libbpf_unpack || return 0
	tested_step "libbpf builds static alone, without pkg-config" \
		libbpf_make "$static" BUILD_STATIC_ONLY=y NO_PKG_CONFIG=1 || return 0
	tested_step "libbpf installs static alone" libbpf_installed "$static" 0
	tested_step "libbpf builds static and shared" libbpf_make "$both" || return 0
	tested_step "libbpf installs static and shared" libbpf_installed "$both" 3
	tested_step "a BPF program compiles with its headers" compile_bpf "$both" || return 0
	tested_step "a program links it static" compile_reader "$static" static || return 0
	tested_step "a program links it shared" compile_reader "$both" shared || return 0
	tested_step "the static program reads a stream" read_in_vm static
	tested_step "the shared program reads a stream" read_in_vm shared \
		--add "$both/root/usr/lib64/libbpf.so.1:/dist/lib/libbpf.so.1"
}

# --- installed tools ---

# From a relative DESTDIR, as people give it
tools_installed() {
	local dir=$DIST_WORK/tools/opt/streams lib

	(cd "$DIST_WORK" && DESTDIR=tools PREFIX=/opt/streams "$SCRIPTS/dist/install-tools.sh")
	lib=$dir/$(basename "$(gcc -print-multi-os-directory)")
	"$dir/sbin/bpftool" version | grep -F "libbpf v"
	# Where it can be static, nothing of this machine is needed on another
	if [[ -n $(static_flag gcc) ]] && ldd "$dir/sbin/bpftool"; then
		return 1
	fi
	grep -q '^prefix=/opt/streams$' "$lib/pkgconfig/libbpf.pc"
	[[ -f $dir/share/man/man8/bpftool-prog.8 && -f $lib/libbpf.so &&
	   -f $dir/share/bash-completion/completions/bpftool &&
	   -f $dir/include/bpf/bpf_streams.h ]]
}

# --- releases ---

# elsewhere DIR: what is checked out here, as another checkout that has a kernel
elsewhere() {
	rm -rf "$1"
	git -c safe.directory='*' clone -q "$REPO" "$1"
	git -c safe.directory='*' -C "$REPO" ls-files -z |
		rsync -a --files-from=- --from0 "$REPO/" "$1/"
	mkdir -p "$1/build/kernel"
	ln "$BUILD/kernel/vmlinux" "$1/build/kernel/"
	BASE=$(sed -n 1p "$BUILD/base.id") "$1/scripts/series/tree.sh"
	"$1/scripts/build/tools.sh" bpftool
}

# The same, checksums and all, from another path
release_is_reproducible() {
	local release there=$DIST_WORK/another-checkout/of-the-same

	"$SCRIPTS/dist/dist.sh"
	release=$BUILD/dist/bpf-streams-$(<"$REPO/VERSION")
	(cd "$release" && sha256sum -c SHA256SUMS)
	elsewhere "$there"
	"$there/scripts/dist/dist.sh"
	diff -r "$there/build/dist/$(basename "$release")" "$release"
	rm -rf "$there"
}

dist_tests() {
	deb_tests
	libbpf_tests
	tested_step "tools are installed" tools_installed
	tested_step "releases are reproducible" release_is_reproducible
}
