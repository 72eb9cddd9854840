// SPDX-License-Identifier: GPL-2.0
/*
 * The verifier accepts programs that keep the rules for resilient spin locks, and refuses
 * those that break one; and the lock as a field of map values.
 */
#include <bpf/btf.h>

#include "../kselftest_harness.h"
#include "streams_test.h"
#include "raw.h"
#include "res_lock_ok.skel.h"
#include "res_lock_fail.skel.h"

#define REFUSED		"refused: "
#define STATE_FREQ	BPF_F_TEST_STATE_FREQ

static char log_buf[4 * 1024 * 1024];

static bool logged(const char *message)
{
	return strstr(log_buf, message);
}

/* --- programs in C --- */

TEST(programs_that_keep_the_rules_load)
{
	struct res_lock_ok_bpf *skel;
	struct bpf_program *prog;
	int i;

	for (i = 0; i < 2; i++) {
		skel = res_lock_ok_bpf__open();
		ASSERT_NE(NULL, skel);
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_flags(prog, bpf_program__flags(prog) |
						     (i ? STATE_FREQ : 0));
		EXPECT_EQ(0, res_lock_ok_bpf__load(skel));
		res_lock_ok_bpf__destroy(skel);
	}
}

TEST(programs_that_keep_the_rules_run)
{
	struct res_lock_ok_bpf *skel = res_lock_ok_bpf__open_and_load();
	struct bpf_program *prog;
	struct elem {
		__u64 value;
		__u32 lock;
		int after;
	} elem = {};
	int key = 0, again;

	ASSERT_NE(NULL, skel);
	ASSERT_EQ(0, bpf_map__update_elem(skel->maps.hashed, &key, sizeof(key),
					  &elem, sizeof(elem), BPF_ANY));
	for (again = 0; again < 2; again++) {
		bpf_object__for_each_program(prog, skel->obj) {
			if (!strncmp(bpf_program__name(prog), "load_", 5))
				continue;
			EXPECT_EQ(0, run(prog))
				TH_LOG("%s", bpf_program__name(prog));
		}
	}
	EXPECT_TRUE(stream_is(skel->progs.prints, STDOUT, "locked 1\nlocked 1\n"));
	res_lock_ok_bpf__destroy(skel);
}

/* The expected message of the verifier, from the tag in the program's source */
static const char *reason(const struct btf *btf, const char *prog)
{
	const struct btf_type *t, *func;
	const char *tag;
	__u32 i;

	for (i = 1; i < btf__type_cnt(btf); i++) {
		t = btf__type_by_id(btf, i);
		if (!btf_is_decl_tag(t) || btf_decl_tag(t)->component_idx != -1)
			continue;
		func = btf__type_by_id(btf, t->type);
		tag = btf__name_by_offset(btf, t->name_off);
		if (btf_is_func(func) && !strncmp(tag, REFUSED, strlen(REFUSED)) &&
		    !strcmp(prog, btf__name_by_offset(btf, func->name_off)))
			return tag + strlen(REFUSED);
	}
	return NULL;
}

/* Test if the n-th program of the object is refused with its message. */
static bool refused(int n, __u32 flags, bool *last)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .kernel_log_buf = log_buf,
		    .kernel_log_size = sizeof(log_buf),
		    .kernel_log_level = 1);
	struct res_lock_fail_bpf *skel = res_lock_fail_bpf__open_opts(&opts);
	struct bpf_program *prog, *it;
	const char *want, *name;
	bool ok = false;
	int err;

	if (!skel)
		return false;
	prog = bpf_object__next_program(skel->obj, NULL);
	while (n-- && prog)
		prog = bpf_object__next_program(skel->obj, prog);
	if (!prog) {
		*last = true;
		ok = true;
		goto out;
	}

	name = bpf_program__name(prog);
	want = reason(bpf_object__btf(skel->obj), name);
	if (!want) {
		fprintf(stderr, "# %s: no reason is given\n", name);
		goto out;
	}
	bpf_object__for_each_program(it, skel->obj)
		bpf_program__set_autoload(it, it == prog);
	bpf_program__set_flags(prog, bpf_program__flags(prog) | flags);

	log_buf[0] = '\0';
	quiet_libbpf(true);
	err = res_lock_fail_bpf__load(skel);
	quiet_libbpf(false);
	ok = err && logged(want);
	if (!ok)
		fprintf(stderr, "# %s: %d, '%s' is not in the log:\n%s\n", name, err,
			want, log_buf);
out:
	res_lock_fail_bpf__destroy(skel);
	return ok;
}

TEST(programs_that_break_a_rule_are_refused_for_it)
{
	bool last = false;
	int i;

	for (i = 0; !last; i++)
		EXPECT_TRUE(refused(i, 0, &last));
	ASSERT_LT(50, i);
}

/* With a state for each instruction pruning is most likely to go wrong */
TEST(programs_that_break_a_rule_are_refused_whatever_is_pruned)
{
	bool last = false;
	int i;

	for (i = 0; !last; i++)
		EXPECT_TRUE(refused(i, STATE_FREQ, &last));
}

/* --- programs of instructions --- */

#define MAX_INSNS	2048

struct code {
	struct bpf_insn insns[MAX_INSNS];
	int len;
};

static void emit(struct code *c, struct bpf_insn insn)
{
	if (c->len < MAX_INSNS)
		c->insns[c->len++] = insn;
}

/* Two instructions: dst = the map, or the address of its first value + off */
static void emit_map(struct code *c, int dst, int fd, bool value, int off)
{
	emit(c, BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, dst,
			     value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD, 0, fd));
	emit(c, BPF_RAW_INSN(0, 0, 0, 0, off));
}

static int load(struct code *c, enum bpf_prog_type type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .log_buf = log_buf,
		    .log_size = sizeof(log_buf),
		    .log_level = 1,
		    .prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0);

	log_buf[0] = '\0';
	return bpf_prog_load(type, "raw", "GPL", c->insns, c->len, &opts);
}

struct types {
	struct btf *btf;
	int u32_id;
	int spin_lock;		/* struct bpf_spin_lock */
	int res_lock;		/* struct bpf_res_spin_lock */
};

static int add_lock(struct types *t, const char *name)
{
	int id = btf__add_struct(t->btf, name, 4);

	btf__add_field(t->btf, "val", t->u32_id, 0, 0);
	return id;
}

static bool types_init(struct types *t)
{
	t->btf = btf__new_empty();
	if (!t->btf)
		return false;
	t->u32_id = btf__add_int(t->btf, "unsigned int", 4, 0);
	t->spin_lock = add_lock(t, "bpf_spin_lock");
	t->res_lock = add_lock(t, "bpf_res_spin_lock");
	return t->res_lock > 0;
}

/* A struct of two members, the second of which may be missing */
static int add_pair(struct types *t, const char *name, int size, int first,
		    int second, int second_off)
{
	int id = btf__add_struct(t->btf, name, size);

	btf__add_field(t->btf, "first", first, 0, 0);
	if (second)
		btf__add_field(t->btf, "second", second, second_off * 8, 0);
	return id;
}

/* A map whose values are such structs: its fd, or a negative error */
static int create(struct types *t, enum bpf_map_type type, int value_id,
		  int size, int nr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .btf_key_type_id = t->u32_id,
		    .btf_value_type_id = value_id);
	int fd;

	if (btf__load_into_kernel(t->btf))
		return -errno;
	opts.btf_fd = btf__fd(t->btf);
	fd = bpf_map_create(type, "locks", 4, size, nr, &opts);
	return fd < 0 ? -errno : fd;
}

#define LOCK_SIZE	8	/* of a value that has a lock and a number */

static int create_locks(enum bpf_map_type type, int nr)
{
	struct types t;
	int id, fd;

	if (!types_init(&t))
		return -ENOMEM;
	id = add_pair(&t, "value", LOCK_SIZE, t.res_lock, t.u32_id, 4);
	fd = create(&t, type, id, LOCK_SIZE, nr);
	btf__free(t.btf);
	return fd;
}

/* A map whose only value is an array of keys: 0, 1, 2... */
static int create_keys(int nr)
{
	__u32 keys[nr], zero = 0;
	int fd, i;

	for (i = 0; i < nr; i++)
		keys[i] = i;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "keys", 4, nr * 4, 1, NULL);
	if (fd >= 0)
		bpf_map_update_elem(fd, &zero, keys, BPF_ANY);
	return fd;
}

/* Pointers to the locks: as many as fit the stack, the others in registers */
#define ON_STACK	64

static void emit_store(struct code *c, int lock)
{
	if (lock < ON_STACK)
		emit(c, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8 * (lock + 1)));
	else
		emit(c, BPF_MOV64_REG(BPF_REG_6 + lock - ON_STACK, BPF_REG_0));
}

static void emit_fetch(struct code *c, int lock)
{
	if (lock < ON_STACK)
		emit(c, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -8 * (lock + 1)));
	else
		emit(c, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6 + lock - ON_STACK));
}

/* Take that many locks, then release them. Return: 0 if all were taken. */
static void emit_nested(struct code *c, int nr, int locks_fd, int keys_fd)
{
	int i, exits[nr], failed[nr], release[nr];

	emit(c, BPF_MOV64_IMM(BPF_REG_9, 1));
	for (i = 0; i < nr; i++) {
		emit_map(c, BPF_REG_1, locks_fd, false, 0);
		emit_map(c, BPF_REG_2, keys_fd, true, i * 4);
		emit(c, BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem));
		exits[i] = c->len;
		emit(c, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
		emit_store(c, i);
	}
	for (i = 0; i < nr; i++) {
		emit_fetch(c, i);
		emit(c, raw_kfunc_call("bpf_res_spin_lock"));
		failed[i] = c->len;
		emit(c, BPF_JMP32_IMM(BPF_JNE, BPF_REG_0, 0, 0));
	}
	emit(c, BPF_MOV64_IMM(BPF_REG_9, 0));
	for (i = nr - 1; i >= 0; i--) {
		release[i] = c->len;
		emit_fetch(c, i);
		emit(c, raw_kfunc_call("bpf_res_spin_unlock"));
	}
	for (i = 0; i < nr; i++) {
		c->insns[exits[i]].off = c->len - exits[i] - 1;
		/* The locks before it have to be released */
		c->insns[failed[i]].off = (i ? release[i - 1] : c->len) - failed[i] - 1;
	}
	emit(c, BPF_MOV64_REG(BPF_REG_0, BPF_REG_9));
	emit(c, BPF_EXIT_INSN());
}

static int load_nested(int nr)
{
	int locks = create_locks(BPF_MAP_TYPE_ARRAY, nr);
	int keys = create_keys(nr);
	struct code c = {};
	int fd = -1;

	if (locks >= 0 && keys >= 0) {
		emit_nested(&c, nr, locks, keys);
		fd = load(&c, BPF_PROG_TYPE_SYSCALL);
	}
	close(locks);
	close(keys);
	return fd;
}

TEST(locks_nest_as_deep_as_the_verifier_counts)
{
	static const int depths[] = { 1, 30, 31, 32, 33, 63, 64 };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		fd = load_nested(depths[i]);
		ASSERT_LE(0, fd) TH_LOG("%d: %s", depths[i], log_buf);
		EXPECT_EQ(0, run_prog(fd, NULL, 0)) TH_LOG("%d", depths[i]);
		close(fd);
	}

	EXPECT_GT(0, load_nested(65));
	EXPECT_TRUE(logged("bpf_res_spin_lock is not allowed while holding 64 of such locks"))
		TH_LOG("%s", log_buf);
}

/* An instruction that C cannot express, with the only lock of the map held */
static int load_under_lock(struct bpf_insn insn, enum bpf_prog_type type)
{
	int locks = create_locks(BPF_MAP_TYPE_ARRAY, 1);
	struct code c = {};
	int fd;

	if (locks < 0)
		return 0;
	emit(&c, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, raw_kfunc_call("bpf_res_spin_lock"));
	emit(&c, BPF_JMP32_IMM(BPF_JNE, BPF_REG_0, 0, 4));
	emit(&c, insn);
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, raw_kfunc_call("bpf_res_spin_unlock"));
	emit(&c, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(&c, BPF_EXIT_INSN());
	fd = load(&c, type);
	close(locks);
	return fd;
}

TEST(packet_is_not_loaded_from_under_lock)
{
	static const struct bpf_insn loads[] = {
		BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, 0),
		BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_B, 0, BPF_REG_0, 0, 0),
	};
	size_t i;
	int fd;

	fd = load_under_lock(BPF_MOV64_IMM(BPF_REG_7, 0), BPF_PROG_TYPE_SCHED_CLS);
	ASSERT_LE(0, fd) TH_LOG("%s", log_buf);
	close(fd);

	for (i = 0; i < ARRAY_SIZE(loads); i++) {
		EXPECT_GT(0, load_under_lock(loads[i], BPF_PROG_TYPE_SCHED_CLS));
		EXPECT_TRUE(logged("BPF_LD_[ABS|IND] is not allowed while holding a lock"))
			TH_LOG("%s", log_buf);
	}
}

/* With interrupts disabled and the flag at fp - 8; restores them from a given slot */
static int load_irq(int restore_off)
{
	int locks = create_locks(BPF_MAP_TYPE_ARRAY, 1);
	struct code c = {};
	int fd;

	if (locks < 0)
		return 0;
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, BPF_MOV64_REG(BPF_REG_2, BPF_REG_10));
	emit(&c, BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8));
	emit(&c, raw_kfunc_call("bpf_res_spin_lock_irqsave"));
	emit(&c, BPF_JMP32_IMM(BPF_JNE, BPF_REG_0, 0, 5));
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, BPF_MOV64_REG(BPF_REG_2, BPF_REG_10));
	emit(&c, BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, restore_off));
	emit(&c, raw_kfunc_call("bpf_res_spin_unlock_irqrestore"));
	emit(&c, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(&c, BPF_EXIT_INSN());
	fd = load(&c, BPF_PROG_TYPE_SYSCALL);
	close(locks);
	return fd;
}

TEST(flag_is_restored_from_where_it_is)
{
	static const int wrong[] = { 8, 0, -1, -4, -16, -512, -520 };
	size_t i;
	int fd;

	fd = load_irq(-8);
	ASSERT_LE(0, fd) TH_LOG("%s", log_buf);
	EXPECT_EQ(0, run_prog(fd, NULL, 0));
	close(fd);

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_GT(0, load_irq(wrong[i])) TH_LOG("%d", wrong[i]);
		EXPECT_TRUE(logged("cannot pass in irq flag at an offset=") ||
			    logged("expected an initialized irq flag as arg#1"))
			TH_LOG("%d: %s", wrong[i], log_buf);
	}
}

/*
 * The upper half of an int that a function returns is undefined: a program that compares
 * all of it has not checked if it holds the lock.
 */
TEST(upper_half_of_result_is_unknown)
{
	int locks = create_locks(BPF_MAP_TYPE_ARRAY, 1);
	struct code c = {};

	ASSERT_LE(0, locks);
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, raw_kfunc_call("bpf_res_spin_lock"));
	emit(&c, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 3));
	emit_map(&c, BPF_REG_1, locks, true, 0);
	emit(&c, raw_kfunc_call("bpf_res_spin_unlock"));
	emit(&c, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(&c, BPF_EXIT_INSN());
	EXPECT_GT(0, load(&c, BPF_PROG_TYPE_SYSCALL));
	EXPECT_TRUE(logged("bpf_res_spin_unlock is missing"))
		TH_LOG("%s", log_buf);
	close(locks);
}

/* --- the lock as a field --- */

TEST(maps_that_may_have_locks)
{
	static const struct {
		enum bpf_map_type type;
		int err;
	} maps[] = {
		{ BPF_MAP_TYPE_ARRAY, 0 },
		{ BPF_MAP_TYPE_HASH, 0 },
		{ BPF_MAP_TYPE_LRU_HASH, -EOPNOTSUPP },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, -EOPNOTSUPP },
		{ BPF_MAP_TYPE_PERCPU_HASH, -EOPNOTSUPP },
	};
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		fd = create_locks(maps[i].type, 2);
		EXPECT_EQ(maps[i].err, fd < 0 ? fd : 0) TH_LOG("type %d", maps[i].type);
		if (fd >= 0)
			close(fd);
	}
}

/*
 * A map whose value has two locks, in separate structs if nested. Return: its fd, or a
 * negative error. A struct with both is refused as a type. If the structs are types, the
 * map has no fields, as in the base.
 */
static int create_two(bool res_first, bool res_second, bool nested)
{
	struct types t;
	int first, second, id, fd;

	if (!types_init(&t))
		return -ENOMEM;
	first = res_first ? t.res_lock : t.spin_lock;
	second = res_second ? t.res_lock : t.spin_lock;
	if (nested) {
		first = add_pair(&t, "a", 4, first, 0, 0);
		second = add_pair(&t, "b", 4, second, 0, 0);
	}
	id = add_pair(&t, "value", 8, first, second, 4);
	quiet_libbpf(true);
	fd = create(&t, BPF_MAP_TYPE_ARRAY, id, 8, 1);
	quiet_libbpf(false);
	btf__free(t.btf);
	return fd;
}

TEST(value_has_one_lock_of_one_kind)
{
	static const struct {
		bool first;
		bool second;
		int err;
	} pairs[] = {
		{ true, false, -EINVAL },
		{ false, true, -EINVAL },
		{ true, true, -E2BIG },
	};
	struct code c;
	size_t i;
	int map;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		EXPECT_EQ(pairs[i].err, create_two(pairs[i].first, pairs[i].second, false));

		map = create_two(pairs[i].first, pairs[i].second, true);
		ASSERT_LE(0, map);
		c.len = 0;
		emit_map(&c, BPF_REG_1, map, true, pairs[i].first ? 0 : 4);
		emit(&c, raw_kfunc_call("bpf_res_spin_lock"));
		emit(&c, BPF_EXIT_INSN());
		EXPECT_GT(0, load(&c, BPF_PROG_TYPE_SYSCALL));
		EXPECT_TRUE(logged("map 'locks' has no valid bpf_res_spin_lock"))
			TH_LOG("%s", log_buf);
		close(map);
	}
}

TEST(map_needs_btf_for_lock)
{
	int map = create_keys(2);
	struct code c = {};

	ASSERT_LE(0, map);
	emit_map(&c, BPF_REG_1, map, true, 0);
	emit(&c, raw_kfunc_call("bpf_res_spin_lock"));
	emit(&c, BPF_EXIT_INSN());
	EXPECT_GT(0, load(&c, BPF_PROG_TYPE_SYSCALL));
	EXPECT_TRUE(logged("map 'keys' has to have BTF in order to use bpf_res_spin_lock"))
		TH_LOG("%s", log_buf);
	close(map);
}

/* The kernel does not expose the lock */
TEST(user_space_neither_sees_nor_changes_lock)
{
	struct res_lock_ok_bpf *skel = res_lock_ok_bpf__open_and_load();
	struct {
		__u64 value;
		__u32 lock;
		int after;
	} in = { 7, 0xffffffff, 9 }, out;
	const struct bpf_map *maps[2];
	int key = 0, i;

	ASSERT_NE(NULL, skel);
	maps[0] = skel->maps.elems;
	maps[1] = skel->maps.hashed;
	for (i = 0; i < 2; i++) {
		/* Twice: the first may create the element */
		ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(maps[i]), &key, &in, BPF_ANY));
		ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(maps[i]), &key, &in, BPF_ANY));
		memset(&out, 0xff, sizeof(out));
		ASSERT_EQ(0, bpf_map_lookup_elem(bpf_map__fd(maps[i]), &key, &out));
		EXPECT_EQ(7, out.value);
		EXPECT_EQ(0, out.lock);
		EXPECT_EQ(9, out.after);
	}
	EXPECT_EQ(0, run(skel->progs.in_array));
	EXPECT_EQ(0, run(skel->progs.in_hash));

	/* These are for a bpf_spin_lock */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EINVAL, bpf_map_update_elem(bpf_map__fd(maps[i]), &key, &in,
						       BPF_F_LOCK));
		EXPECT_EQ(-EINVAL, bpf_map_lookup_elem_flags(bpf_map__fd(maps[i]), &key,
							     &out, BPF_F_LOCK));
	}
	res_lock_ok_bpf__destroy(skel);
}

static struct bpf_link *link_iter(struct bpf_program *prog, const struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(map) };
	struct bpf_link *link;

	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	quiet_libbpf(true);
	link = bpf_program__attach_iter(prog, &opts);
	quiet_libbpf(false);
	return link;
}

static int attach_iter(struct bpf_program *prog, const struct bpf_map *map)
{
	struct bpf_link *link = link_iter(prog, map);

	if (!link)
		return -errno;
	bpf_link__destroy(link);
	return 0;
}

/* An iterator accesses the value itself, through an untyped pointer */
TEST(iterators_do_not_get_at_lock)
{
	struct res_lock_ok_bpf *skel = res_lock_ok_bpf__open_and_load();

	ASSERT_NE(NULL, skel);
	EXPECT_EQ(0, attach_iter(skel->progs.load_iter_up_to_lock, skel->maps.hashed));
	EXPECT_EQ(0, attach_iter(skel->progs.load_iter_up_to_lock, skel->maps.elems));
	EXPECT_EQ(-EACCES, attach_iter(skel->progs.load_iter_of_lock, skel->maps.hashed));
	EXPECT_EQ(-EACCES, attach_iter(skel->progs.load_iter_of_lock, skel->maps.elems));
	EXPECT_EQ(-EACCES, attach_iter(skel->progs.load_iter_of_lock_of_socket,
				       skel->maps.of_sockets));
	res_lock_ok_bpf__destroy(skel);
}

/* Neither does one that replaces another */
TEST(iterators_do_not_get_at_lock_by_an_update)
{
	struct res_lock_ok_bpf *skel = res_lock_ok_bpf__open_and_load();
	struct bpf_link *link;

	ASSERT_NE(NULL, skel);
	link = link_iter(skel->progs.load_iter_up_to_lock, skel->maps.hashed);
	ASSERT_NE(NULL, link);
	EXPECT_EQ(-EACCES, bpf_link__update_program(link, skel->progs.load_iter_of_lock));
	EXPECT_EQ(0, bpf_link__update_program(link, skel->progs.load_iter_up_to_lock));
	bpf_link__destroy(link);
	res_lock_ok_bpf__destroy(skel);
}

int main(int argc, char **argv)
{
	streams_require();
	if (!ours()) {
		ksft_print_header();
		ksft_exit_skip("not promised by this kernel: the rules for locks\n");
	}
	return test_harness_run(argc, argv);
}
