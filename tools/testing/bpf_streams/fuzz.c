// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences of calls, generated from the fuzzer's input and compared with the model
 *
 * A byte of the input selects a call and its flags, and the bytes of its arguments follow.
 * After each call, its result, the text that was read, the counters and the number of
 * pages are compared. A difference aborts the program, as do errors that the shims detect.
 */
#include "model.h"

#define NMI_LEN_MAX 255

enum call {
	WRITE,
	WRITE_MANY,
	STAGE,
	COMMIT,
	READ,
	READ_FAULT,
	READ_KILLED,
	DROP_CURSORS,
	RENEW,
	NR_CALLS,
};

/* Flags in the byte that selects the call */
#define REFUSE	0x80	/* no page is available */
#define NMI	0x40	/* an NMI writes while a page is allocated */
#define CPU	0x30	/* the CPU, of 4 */

/* Flag in the length of a text: the text ends in a newline */
#define LINE	0x8000

struct input {
	const u8 *data;
	size_t left;
};

static struct model model;
static struct bpf_stream *stream;
static struct bpf_stream_group group;
static char nmi_text[NMI_LEN_MAX];
static unsigned int nmi_len;
static u32 seed;

static unsigned int next_byte(struct input *in)
{
	if (!in->left)
		return 0;

	in->left--;
	return *in->data++;
}

static unsigned int next_word(struct input *in)
{
	unsigned int low = next_byte(in);

	return low | next_byte(in) << 8;
}

/* Size of a buffer: usually for a few messages, sometimes for all */
static unsigned int next_size(struct input *in)
{
	unsigned int size = next_word(in);

	return size >= 0xf000 ? CAPACITY : size % (4 * MAX_BPRINTF_BUF);
}

static unsigned int next_text(struct input *in, char *text)
{
	unsigned int word = next_word(in), len = word % MAX_BPRINTF_BUF;

	make_text(text, len, seed++);
	if (len && word & LINE)
		text[len - 1] = '\n';
	return len;
}

static void on_nmi(void)
{
	shim.page_hook = NULL;
	die_if(bpf_stream_write(stream, nmi_text, nmi_len) != model.nmi_ret);
	nmi_len = 0;
}

/*
 * Prepare an NMI for the next call. The model is called first, so its NMI has run before
 * on_nmi(). Either both or none must run, see end_nmi().
 */
static void expect_nmi(struct input *in, bool wanted)
{
	nmi_len = wanted ? next_byte(in) : 0;
	make_text(nmi_text, nmi_len, seed++);
	model.nmi_text = nmi_text;
	model.nmi_len = nmi_len;
	shim.page_hook = nmi_len ? on_nmi : NULL;
}

static void end_nmi(void)
{
	die_if(model.nmi_len != nmi_len);
	model.nmi_len = 0;
	shim.page_hook = NULL;
}

static void do_write(struct input *in)
{
	char text[MAX_BPRINTF_BUF];
	unsigned int len = next_text(in, text);
	int ret = model_write(&model, text, len);

	die_if(write_text(stream, text, len) != ret);
}

static void do_write_many(struct input *in)
{
	unsigned int i, len, n = next_byte(in);
	char text[MAX_BPRINTF_BUF];
	int ret;

	len = next_text(in, text);
	for (i = 0; i < n; i++) {
		ret = model_write(&model, text, len);
		die_if(write_text(stream, text, len) != ret);
	}
}

static void do_stage(struct input *in)
{
	char text[MAX_BPRINTF_BUF];
	unsigned int len = next_text(in, text);
	int ret;

	if (model.nr_staged == MAX_STAGED)
		return;

	ret = model_stage(&model, text, len);
	die_if(stage_text(&group, text, len) != ret);
}

static void do_commit(void)
{
	int ret = model_commit(&model);

	group.stream = stream;
	die_if(bpf_stream_stage_commit(&group) != ret);
	group = (struct bpf_stream_group){ .stream = stream };
}

static void fault_in(char *buf, unsigned long size)
{
	current->user_room = buf + size;
}

/*
 * Read up to @size bytes and compare. Only the first @room bytes of the buffer are
 * writable; the others can be faulted in if @room is odd and the reader is not killed.
 */
static void read_and_compare(unsigned int size, unsigned int room, bool killed)
{
	bool provided = room % 2 && !killed;
	static char want[CAPACITY], got[CAPACITY];
	bool has_text = model.unread;
	int n, expected;

	current->faults = room < size;
	current->user_room = got + min(room, size);
	current->fault_in = provided ? fault_in : NULL;
	current->killed_in_copy = killed;

	expected = model_read(&model, want, provided ? size : min(size, room), killed);
	if (!expected && size && has_text)
		expected = -EFAULT;
	n = bpf_stream_read(stream, got, size);
	current->faults = false;
	current->fault_in = NULL;
	current->killed_in_copy = false;
	current->killed = false;

	die_if(n != expected);
	die_if(n > 0 && memcmp(want, got, n));
}

static void renew(void)
{
	do_commit();
	bpf_stream_put(stream);
	die_if(shim.pages || shim.objects);
	stream = bpf_stream_alloc(true);
	group = (struct bpf_stream_group){ .stream = stream };
	nmi_len = 0;
	model_init(&model);
}

static void compare_state(void)
{
	enum bpf_stream_stat stat;

	die_if(atomic_read(&stream->unread) != model.unread);
	die_if(atomic_read(&stream->pages) != model.pages);
	die_if(shim.pages != model.pages);
	die_if(bpf_stream_has_text(stream) != !!model.unread);
	for (stat = 0; stat < BPF_STREAM_NR_STATS; stat++)
		die_if(bpf_stream_stat(stream, stat) != model.stats[stat]);
}

static void do_call(enum call call, struct input *in)
{
	unsigned int size;

	switch (call) {
	case WRITE:
		do_write(in);
		break;
	case WRITE_MANY:
		do_write_many(in);
		break;
	case STAGE:
		do_stage(in);
		break;
	case COMMIT:
		do_commit();
		break;
	case READ:
		read_and_compare(next_size(in), UINT_MAX, false);
		break;
	case READ_FAULT:
		size = next_size(in);
		read_and_compare(size, next_size(in), false);
		break;
	case READ_KILLED:
		read_and_compare(next_size(in), UINT_MAX, true);
		break;
	case DROP_CURSORS:
		model_drop_cursors(&model);
		bpf_stream_cursors_drop(stream);
		break;
	default:
		renew();
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { .data = data, .left = size };
	unsigned int byte;

	seed = 0;
	stream = bpf_stream_alloc(true);
	group = (struct bpf_stream_group){ .stream = stream };
	model_init(&model);

	while (in.left) {
		byte = next_byte(&in);
		current->cpu = (byte & CPU) / 0x10;
		shim.fail_pages = byte & REFUSE ? 1 : 0;
		model.refuse = shim.fail_pages;
		expect_nmi(&in, byte & NMI);
		do_call(byte % NR_CALLS, &in);
		end_nmi();
		compare_state();
	}

	shim.fail_pages = 0;
	do_commit();
	bpf_stream_put(stream);
	die_if(shim.pages || shim.objects);
	return 0;
}
