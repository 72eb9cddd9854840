# SPDX-License-Identifier: GPL-2.0
#
# The entry points. Each runs a script in scripts/; "make help" describes them.

# Settings are passed to the scripts unexpanded, in the environment.
SETTINGS := $(file <scripts/settings.txt)
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
#|   make demo       builds everything, boots a virtual machine, and shows BPF programs
#|                   that print, and bpftool reading
#|   make check      builds everything and runs all tests; the last line counts them
#|
#|   make check-debug   runs the selftests on kernels that detect memory and locking
#|                   errors (KASAN, kmemleak, lockdep) or data races (KCSAN), or that
#|                   torture locks; takes hours
#|                   KERNELS='kasan kcsan'   only these; the third one is lockdep
#|                   TESTS=name,name   only these test programs (kasan, kcsan)
#|
#|   make check-configs   builds kernels without streams, for real time (PREEMPT_RT),
#|                   without preemption, for one CPU, without memory control groups,
#|                   without BTF, for 32 bits, for arm64 and for its memory tags (MTE),
#|                   and tests those that can be booted
#|                   KERNELS='rt arm64'   only these
#|   make soak       prints in all contexts on all CPUs for ten minutes, while readers are
#|                   killed and programs unloaded; shows how often each event happened
#|                   STORM=600    seconds; SMP=4: CPUs, 2 to 8
#|
#| These commands install missing Debian packages (SKIP_DEPS=1: they do not).
#|
#|   make deps       only installs the packages listed in scripts/build/packages.txt
#|   make tree       composes build/linux from the base, patches/ and the new files
#|                   BASE=path    another 6.12.y tree or tarball; remembered
#|                   FORCE=1      discard edits made in build/linux
#|   make refresh    writes edits made in build/linux back to patches/ and to the new
#|                   files
#|                   PATCH=name   the patch to write to; a new name adds a patch
#|   make kernel     builds build/kernel (bzImage and vmlinux) with configs/vm.config,
#|                   then compiles our files with W=1
#|   make kernel-NAME   builds build/kernel-NAME with configs/NAME.config. To try it:
#|                   make vm KERNEL=build/kernel-NAME/arch/x86/boot/bzImage
#|   make libbpf     builds build/libbpf
#|   make bpftool    builds build/tools/bpftool
#|   make selftests  builds the test and demo programs in build/selftests
#|   make base-tests runs the BPF tests of the base that scripts/test/test-progs.txt lists
#|                   TESTS=name,test/subtest   only these; TESTS=all: also those that
#|                   the list excludes
#|   make base-compare   runs all BPF tests of the base, on the unpatched kernel and on the
#|                   one with the series, and shows the differences in a table, also in
#|                   build/base-compare/table.txt; takes hours
#|                   TESTS=name,name   only these
#|   make core-tests tests the core of the streams in user space: unit tests, NMIs at every
#|                   instruction, threads, sanitizers; takes about a minute
#|                   SEED=n       repeats the random choices of a run
#|   make fuzz       fuzzes the core until stopped; FUZZ_TIME=seconds limits the time
#|   make format-fuzz   fuzzes the rendering of messages
#|   make litmus     checks each memory barrier of the core with herd7; downloads herd7
#|                   from Debian's other suites if it is not installed. HERD7=path
#|   make bench      measures the cost of messages, in instructions and bytes: a table;
#|                   fails if a figure is 3 % worse than in the tree, or above its budget
#|                   PEERS='6.17 6.18 newest'   compare with Debian's kernels
#|   make bench-update   replaces the figures in the tree with those measured now
#|   make vm         opens a shell in the virtual machine
#|                   CMD='...'    runs one command and exits with its status
#|                   KERNEL=file  another bzImage
#|                   SMP=2 MEM=1024 CPU=model APPEND='kernel arguments'
#|                   ACCEL=kvm|tcg   default: kvm if it works, otherwise tcg
#|                   GDB=1234     gdb can connect to this port
#|                   TIMEOUT=600  limit for the command, in seconds
#|                   BOOT_TIMEOUT=180   limit for booting, in seconds
#|   make compat     runs the tests, demos and bpftool on Debian's own kernels, and tries
#|                   bpf_streams.h with old and new versions of libbpf and compilers: a
#|                   table, also in build/compat/matrix.txt. Downloads from Debian's other
#|                   suites to build/suites; takes an hour
#|                   KERNELS='6.12 6.17'   only these; 'newest': the newest available
#|                   KERNEL=file  only this vmlinuz
#|                   CLANGS='14 19'   only these compilers
#|   make series     writes mails for git am, with a cover letter, to build/series;
#|                   applied to the base, they must make the tree of make tree
#|   make series-check   the same, and checkpatch --strict must be silent about them
#|   make bisect-check   builds each commit, and boots those that scripts/series/bisect-boots.txt
#|                   lists; takes an hour
#|                   FIRST=5 LAST=9   only these
#|   make bases      tries the series on all releases of 6.12 in Debian's suites: a
#|                   table, also in build/bases/table.txt
#|                   BASE=path    only this tree or tarball
#|   make deb        builds Debian packages of a kernel for a real machine in build/deb
#|                   CONFIG=file  its configuration; default: that of the running kernel
#|                   if it is a 6.12, otherwise Debian's
#|   make libbpf-dist   writes a separate source tarball of libbpf to build/dist
#|   make install-tools   installs bpftool and libbpf
#|                   DESTDIR= PREFIX=/usr/local   where
#|   make dist       writes a release to build/dist/bpf-streams-VERSION: series, libbpf,
#|                   bpftool, documentation and checksums
#|   make check-dist tests the packages, libbpf's tarball, the installed tools and the
#|                   release; part of make check
#|   make check-hosts   runs make demo and make check on fresh Debian systems, created by
#|                   mmdebstrap: a table, also in build/hosts/table.txt; takes hours
#|                   HOSTS='13 12'   only these; COMMANDS=demo: only this command
#|   make docs       builds Documentation/bpf as HTML, and bpftool's man pages, in
#|                   build/docs
#|   make lint       runs checkpatch --strict, sparse, W=1 and shellcheck, and checks for
#|                   warnings of make docs
#|   make clean      removes build/
#|
#| JOBS=n is the number of compilers that run in parallel. TEST_TIMEOUT=1800 is the limit
#| for one test program, in seconds.

deps:
	@scripts/build/deps.sh

demo:
	@scripts/vm/demo.sh

check:
	@scripts/test/check.sh

soak:
	@SMP=$${SMP:-4} scripts/test/soak.sh

check-debug:
	@scripts/test/check-debug.sh $$KERNELS

check-configs:
	@scripts/test/check-configs.sh $$KERNELS

tree:
	@scripts/series/tree.sh

refresh:
	@scripts/series/refresh.sh

kernel: tree
	@scripts/build/kernel.sh
	@scripts/build/warnings.sh

kernel-%: tree
	@scripts/build/kernel.sh $*

libbpf: tree
	@scripts/build/tools.sh libbpf

bpftool: kernel
	@scripts/build/tools.sh bpftool

selftests: libbpf bpftool
	@scripts/build/tools.sh selftests

base-tests: libbpf bpftool
	@scripts/test/test-progs.sh build
	@scripts/test/test-progs.sh run

base-compare:
	@scripts/test/base-compare.sh

core-tests: tree
	@scripts/test/core-tests.sh check

fuzz: tree
	@scripts/test/core-tests.sh fuzz

format-fuzz: tree
	@scripts/test/core-tests.sh format-fuzz

bench:
	@scripts/test/bench.sh

bench-update:
	@scripts/test/bench.sh update

litmus: tree
	@scripts/test/litmus.sh

# Needs only the kernel. Everything else that was built is available in the machine, too.
vm:
	@scripts/vm/vm.sh

compat: selftests
	@scripts/test/compat.sh

series: tree
	@scripts/series/series.sh

series-check: tree
	@scripts/series/series.sh
	@scripts/series/checkpatch.sh

bisect-check:
	@scripts/series/bisect-check.sh $${FIRST:-1} $${LAST:-9999}

# Does not need a composed tree
bases:
	@scripts/series/bases.sh

deb: tree
	@scripts/dist/deb.sh

libbpf-dist: tree
	@scripts/dist/libbpf-dist.sh

install-tools: libbpf bpftool
	@scripts/dist/install-tools.sh

dist: bpftool
	@scripts/dist/dist.sh

check-dist:
	@scripts/dist/check-dist.sh

check-hosts:
	@scripts/test/check-hosts.sh

docs: tree
	@scripts/build/docs.sh

lint: kernel
	@scripts/build/lint.sh

clean:
	@scripts/build/clean.sh
