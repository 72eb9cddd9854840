# SPDX-License-Identifier: GPL-2.0
#
# The entry points; each is a script in scripts/. "make help" explains them.

# Settings reach the scripts through the environment, as they were typed
SETTINGS := BASE FORCE PATCH CMD KERNEL INITRAMFS ACCEL SMP MEM CPU APPEND \
	    TIMEOUT BOOT_TIMEOUT TEST_TIMEOUT TESTS JOBS SKIP_DEPS \
	    KERNELS CLANGS FUZZ_TIME SEED STORM HERD7 GDB CONFIG FIRST LAST	\
	    DESTDIR PREFIX PEERS HOSTS COMMANDS
define setting
ifneq ($(origin $(1)),undefined)
override $(1) := $$(value $(1))
export $(1)
endif
endef
$(foreach name,$(SETTINGS),$(eval $(call setting,$(name))))

.PHONY: help deps demo check check-debug check-configs check-dist check-hosts	\
	soak tree refresh \
	kernel libbpf bpftool selftests base-tests base-compare core-tests fuzz format-fuzz litmus bench bench-update \
	vm compat \
	series series-check bisect-check bases deb libbpf-dist install-tools dist docs	\
	lint clean
.NOTPARALLEL:

help:
	@sed -n 's/^#| \{0,1\}//p' Makefile

#| BPF standard streams for Linux 6.12
#|
#|   make demo       builds everything, boots a virtual machine, and shows BPF
#|                   programs printing and bpftool reading
#|   make check      builds everything and runs all tests; the last line counts
#|
#|   make check-debug   the selftests on kernels that look for misuse of memory and
#|                   locks (KASAN, kmemleak, lockdep), for data races (KCSAN), and
#|                   that torture locks; takes hours
#|                   KERNELS='kasan kcsan'   only those; lockdep is the third
#|                   TESTS=name,name   only those test programs (kasan, kcsan)
#|
#|   make check-configs   kernels without streams, for real time (PREEMPT_RT), without
#|                   preemption, for one CPU, without memory control groups, without
#|                   BTF, for 32 bits, for arm64 and for its memory tags (MTE); what boots
#|                   is tested
#|                   KERNELS='rt arm64'   only those
#|   make soak       prints from all CPUs in all contexts, while readers are killed and
#|                   programs unloaded, for ten minutes; tells what happened how often
#|                   STORM=600    seconds; SMP=4: CPUs, 2 to 8
#|
#| They install the Debian packages they miss (SKIP_DEPS=1: do not look).
#|
#|   make deps       only that: installs what scripts/packages.txt lists
#|   make tree       composes build/linux from the base, patches/ and the new files
#|                   BASE=path    another 6.12.y tree or tarball; remembered
#|                   FORCE=1      throw away edits made in build/linux
#|   make refresh    writes edits made in build/linux back into patches/ and into
#|                   the new files
#|                   PATCH=name   the patch to write to; a new name: a new patch
#|   make kernel     build/kernel: bzImage and vmlinux, from configs/vm.config;
#|                   then compiles our files with W=1
#|   make kernel-NAME   build/kernel-NAME: that of configs/NAME.config. To try it:
#|                   make vm KERNEL=build/kernel-NAME/arch/x86/boot/bzImage
#|   make libbpf     build/libbpf
#|   make bpftool    build/tools/bpftool
#|   make selftests  build/selftests: the test and demo programs
#|   make base-tests the base's own BPF tests that scripts/base-tests.txt names
#|                   TESTS=name,test/subtest   only those; TESTS=all: also those
#|                   that the list leaves out
#|   make base-compare   all BPF tests of the base, on its own kernel and on the one with
#|                   the series: a table of what differs, also in
#|                   build/base-compare/table.txt; takes hours
#|                   TESTS=name,name   only those
#|   make core-tests the core of the streams, compiled for user space: unit tests, NMIs
#|                   at every instruction, threads, sanitizers; about a minute
#|                   SEED=n       repeats the random choices of a run
#|   make fuzz       its fuzzer, until it is stopped; FUZZ_TIME=seconds
#|   make format-fuzz   that of the renderer of messages
#|   make litmus     asks herd7 about each memory barrier of the core; fetches herd7 from
#|                   Debian's other suites if there is none. HERD7=path
#|   make bench      what messages cost, in instructions and bytes: a table; fails if
#|                   a figure is 3 % worse than that in the tree, or above its budget
#|                   PEERS='6.17 6.18 newest'   Debian's kernels, beside
#|   make bench-update   makes the figures of now those in the tree
#|   make vm         a shell in the virtual machine
#|                   CMD='...'    runs one command and exits with its status
#|                   KERNEL=file  another bzImage
#|                   SMP=2 MEM=1024 CPU=model APPEND='kernel arguments'
#|                   ACCEL=kvm|tcg   else kvm if it works, tcg if not
#|                   GDB=1234     gdb may connect to that port
#|                   TIMEOUT=600  seconds for the command
#|                   BOOT_TIMEOUT=180   seconds until it must be up
#|   make compat     the tests, demos and bpftool on Debian's own kernels, and what
#|                   libbpfs and compilers of all ages make of bpf_streams.h: a
#|                   table, also in build/compat/matrix.txt. Fetches from Debian's
#|                   other suites, into build/suites; takes an hour
#|                   KERNELS='6.12 6.17'   only those; 'newest': the newest there is
#|                   KERNEL=file  only that vmlinuz
#|                   CLANGS='14 19'   only those compilers
#|   make series     build/series: mails for git am, with a cover letter; they are
#|                   applied to the base, and must make the tree of make tree
#|   make series-check   the same, and checkpatch --strict must be silent about them
#|   make bisect-check   builds each commit, and boots where scripts/bisect-tests.txt
#|                   says so; takes an hour
#|                   FIRST=5 LAST=9   only those
#|   make bases      tries the series on all releases of 6.12 in Debian's suites: a
#|                   table, also in build/bases/table.txt
#|                   BASE=path    only that tree or tarball
#|   make deb        build/deb: Debian packages of a kernel for a real machine
#|                   CONFIG=file  its configuration; else the running kernel's if that
#|                   is a 6.12, else Debian's
#|   make libbpf-dist   build/dist: libbpf as a source tarball of its own
#|   make install-tools   installs bpftool and libbpf
#|                   DESTDIR= PREFIX=/usr/local   where
#|   make dist       build/dist/bpf-streams-VERSION: series, libbpf, bpftool, docs and
#|                   checksums
#|   make check-dist tests the packages, libbpf's tarball, the installed tools and the
#|                   release; part of make check
#|   make check-hosts   both commands, demo and check, on fresh Debian systems, made by
#|                   mmdebstrap: a table, also in build/hosts/table.txt; takes hours
#|                   HOSTS='13 12'   only those; COMMANDS=demo: only that one
#|   make docs       build/docs: Documentation/bpf as HTML, bpftool's man pages
#|   make lint       checkpatch --strict, sparse, W=1, shellcheck, and the warnings
#|                   of make docs
#|   make clean      removes build/
#|
#| JOBS=n is the number of compilers that run at once. TEST_TIMEOUT=1800 is
#| the limit for one test program, in seconds.

deps:
	@scripts/deps.sh

demo:
	@scripts/demo.sh

check:
	@scripts/check.sh

soak:
	@SMP=$${SMP:-4} scripts/soak.sh

check-debug:
	@scripts/check-debug.sh $$KERNELS

check-configs:
	@scripts/check-configs.sh $$KERNELS

tree:
	@scripts/tree.sh

refresh:
	@scripts/refresh.sh

kernel: tree
	@scripts/kernel.sh
	@scripts/warnings.sh

kernel-%: tree
	@scripts/kernel.sh $*

libbpf: tree
	@scripts/tools.sh libbpf

bpftool: kernel
	@scripts/tools.sh bpftool

selftests: libbpf bpftool
	@scripts/tools.sh selftests

base-tests: libbpf bpftool
	@scripts/base-tests.sh build
	@scripts/base-tests.sh run

base-compare:
	@scripts/base-compare.sh

core-tests: tree
	@scripts/core-tests.sh check

fuzz: tree
	@scripts/core-tests.sh fuzz

format-fuzz: tree
	@scripts/core-tests.sh format-fuzz

bench:
	@scripts/bench.sh

bench-update:
	@scripts/bench.sh update

litmus: tree
	@scripts/litmus.sh

# Whatever has been built goes into the machine; only the kernel is needed
vm:
	@scripts/vm.sh

compat: selftests
	@scripts/compat.sh

series: tree
	@scripts/series.sh

series-check: tree
	@scripts/series.sh
	@scripts/checkpatch.sh

bisect-check:
	@scripts/bisect-check.sh $${FIRST:-1} $${LAST:-9999}

# Of the patches alone: no tree is composed
bases:
	@scripts/bases.sh

deb: tree
	@scripts/deb.sh

libbpf-dist: tree
	@scripts/libbpf-dist.sh

install-tools: libbpf bpftool
	@scripts/install-tools.sh

dist: bpftool
	@scripts/dist.sh

check-dist:
	@scripts/check-dist.sh

check-hosts:
	@scripts/check-hosts.sh

docs: tree
	@scripts/docs.sh

lint: kernel
	@scripts/lint.sh

clean:
	@scripts/clean.sh
