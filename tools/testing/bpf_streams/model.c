// SPDX-License-Identifier: GPL-2.0
/* The model of a stream */
#include "model.h"

void model_init(struct model *m)
{
	memset(m, 0, offsetof(struct model, staged));
}

static void page_check_free(struct model *m, struct model_page *page)
{
	if (page->records || page->in_use)
		return;

	page->charged = false;
	m->pages--;
}

static unsigned int page_find(const struct model *m)
{
	unsigned int i = 0;

	while (m->page[i].charged)
		i++;

	return i;
}

static void run_nmi(struct model *m)
{
	unsigned int len = m->nmi_len;

	m->nmi_len = 0;
	if (len)
		m->nmi_ret = model_write(m, m->nmi_text, len);
}

/* The CPU gets a new page, even if an NMI has just installed another. */
static int page_new(struct model *m, int cpu)
{
	struct model_page *page;
	unsigned int i;

	if (m->pages == PAGE_LIMIT)
		return -ENOSPC;

	i = page_find(m);
	page = &m->page[i];
	*page = (struct model_page){ .in_use = true, .charged = true };
	m->pages++;

	run_nmi(m);
	if (m->refuse) {
		page->in_use = false;
		page_check_free(m, page);
		return -ENOMEM;
	}

	if (m->cpu_has_page[cpu]) {
		m->page[m->cpu_page[cpu]].in_use = false;
		page_check_free(m, &m->page[m->cpu_page[cpu]]);
	}
	m->cpu_has_page[cpu] = true;
	m->cpu_page[cpu] = i;
	m->cpu_room[cpu] = PAGE_ROOM;
	return 0;
}

static int rec_new(struct model *m, struct model_rec *rec, const char *text,
		   unsigned int len)
{
	/* A pointer, the length and the text, rounded up to the size of a pointer */
	unsigned int size = (8 + 2 + len + 7) / 8 * 8;
	int err, cpu = current->cpu;

	if (m->cpu_room[cpu] < size) {
		err = page_new(m, cpu);
		if (err)
			return err;
	}

	m->cpu_room[cpu] -= size;
	rec->page = m->cpu_page[cpu];
	rec->at = 0;
	rec->len = len;
	rec->begins_line = false;
	memcpy(rec->text, text, len);
	m->page[rec->page].records++;
	return 0;
}

static void rec_free(struct model *m, const struct model_rec *rec)
{
	m->page[rec->page].records--;
	page_check_free(m, &m->page[rec->page]);
}

static void enqueue(struct model *m, const struct model_rec *rec)
{
	die_if(m->nr == NR_RECORDS);
	m->queue[(m->first + m->nr++) % NR_RECORDS] = *rec;
	m->stats[BPF_STREAM_WRITTEN_MSGS]++;
	m->stats[BPF_STREAM_WRITTEN_BYTES] += rec->len;
}

static void drop(struct model *m, unsigned int msgs, unsigned int bytes)
{
	m->stats[BPF_STREAM_DROPPED_MSGS] += msgs;
	m->stats[BPF_STREAM_DROPPED_BYTES] += bytes;
}

int model_write(struct model *m, const char *text, unsigned int len)
{
	struct model_rec rec;
	int err;

	if (!len)
		return 0;
	if (len > CAPACITY - m->unread) {
		drop(m, 1, len);
		return -ENOSPC;
	}

	err = rec_new(m, &rec, text, len);
	/* An NMI may have used the room. */
	if (!err && len > CAPACITY - m->unread) {
		rec_free(m, &rec);
		err = -ENOSPC;
	}
	if (err) {
		drop(m, 1, len);
		return err;
	}

	m->unread += len;
	enqueue(m, &rec);
	return 0;
}

int model_stage(struct model *m, const char *text, unsigned int len)
{
	if (!len)
		return m->err;

	m->staged_msgs++;
	m->staged_bytes += len;
	if (!m->err && m->staged_bytes > CAPACITY - m->unread)
		m->err = -ENOSPC;
	if (m->err)
		return m->err;

	m->err = rec_new(m, &m->staged[m->nr_staged], text, len);
	m->staged[m->nr_staged].begins_line = !m->nr_staged;
	if (!m->err)
		m->nr_staged++;
	return m->err;
}

int model_commit(struct model *m)
{
	unsigned int i;
	int err = m->err;

	if (!err && m->staged_bytes > CAPACITY - m->unread)
		err = -ENOSPC;

	for (i = 0; i < m->nr_staged; i++) {
		if (err)
			rec_free(m, &m->staged[i]);
		else
			enqueue(m, &m->staged[i]);
	}
	if (err)
		drop(m, m->staged_msgs, m->staged_bytes);
	else
		m->unread += m->staged_bytes;

	m->nr_staged = 0;
	m->staged_msgs = 0;
	m->staged_bytes = 0;
	m->err = 0;
	return err;
}

void model_drop_cursors(struct model *m)
{
	int cpu;

	for (cpu = 0; cpu < num_possible_cpus(); cpu++) {
		if (!m->cpu_has_page[cpu])
			continue;
		m->page[m->cpu_page[cpu]].in_use = false;
		page_check_free(m, &m->page[m->cpu_page[cpu]]);
		m->cpu_has_page[cpu] = false;
		m->cpu_room[cpu] = 0;
	}
}

unsigned int model_read(struct model *m, char *buf, unsigned int len, bool killed)
{
	unsigned int n, sum = 0, consumed = 0;
	struct model_rec *rec;

	while (sum < len && m->nr && !(killed && consumed >= PAGE_SIZE)) {
		rec = &m->queue[m->first];
		if (rec->begins_line && !rec->at && m->mid_line) {
			buf[sum++] = '\n';
			m->stats[BPF_STREAM_WRITTEN_BYTES]++;
			m->mid_line = false;
			continue;
		}

		n = min(len - sum, rec->len - rec->at);
		memcpy(buf + sum, rec->text + rec->at, n);
		sum += n;
		consumed += n;
		rec->at += n;
		m->mid_line = buf[sum - 1] != '\n';
		if (rec->at == rec->len) {
			rec_free(m, rec);
			m->first = (m->first + 1) % NR_RECORDS;
			m->nr--;
		}
	}

	m->unread -= consumed;
	return sum;
}
