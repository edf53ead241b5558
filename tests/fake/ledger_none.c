/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd/audit.h and keyd/publisher.h without a ledger: what tests/bench/ledger
 * compares the real ones with.  Records nothing and says that it did, so it is
 * linked into a program of the benchmark only and never installed.
 */

#include <stdatomic.h>
#include <stdlib.h>

#include "keyd/audit.h"
#include "keyd/publisher.h"

struct audit {
	atomic_uint_fast64_t entries;
};

STATUS
audit_open(const struct audit_config *config, struct audit **ret_audit)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	(void)config;
	if (audit == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	*ret_audit = audit;
	return status_ok();
}

void
audit_close(struct audit *audit)
{
	free(audit);
}

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	(void)entries;
	atomic_fetch_add(&audit->entries, n);
	return status_ok();
}

uint64_t
audit_entries(const struct audit *audit)
{
	(void)audit;
	return 0;
}

struct status
audit_trouble(const struct audit *audit)
{
	(void)audit;
	return status_ok();
}

void
audit_retire(struct audit *audit, uint64_t until)
{
	(void)audit;
	(void)until;
}

STATUS
audit_replay(
    struct audit *audit, uint64_t from, audit_committed each, void *ctx)
{
	(void)audit;
	(void)from;
	(void)each;
	(void)ctx;
	return status_ok();
}

struct status
audit_stall(const struct audit *audit)
{
	(void)audit;
	return status_ok();
}

STATUS
audit_settle(struct audit *audit)
{
	(void)audit;
	return status_ok();
}

/* ---- the publisher: nothing to publish ---- */

struct publisher {
	int unused;
};

static STATUS
none(void)
{
	return status_fail(
	    STATUS_UNIMPLEMENTED, "this keyd keeps no ledger: it measures");
}

STATUS
publisher_new(
    const struct publisher_config *config, struct publisher **ret_publisher)
{
	struct publisher *publisher = calloc(1, sizeof(*publisher));

	(void)config;
	if (publisher == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	*ret_publisher = publisher;
	return status_ok();
}

void
publisher_committed(
    void *publisher, uint64_t first, struct bytes bundle, uint32_t n)
{
	(void)publisher;
	(void)first;
	(void)bundle;
	(void)n;
}

STATUS
publisher_start(struct publisher *publisher, struct audit *audit)
{
	(void)publisher;
	(void)audit;
	return status_ok();
}

void
publisher_stop(struct publisher *publisher)
{
	(void)publisher;
}

void
publisher_free(struct publisher *publisher)
{
	free(publisher);
}

STATUS
publisher_flush(struct publisher *publisher, int64_t deadline_ns)
{
	(void)publisher;
	(void)deadline_ns;
	return none();
}

STATUS
publisher_checkpoint(struct publisher *publisher, char ret_note[NOTE_MAX],
    size_t *ret_len, uint64_t *ret_size)
{
	(void)publisher;
	(void)ret_note;
	(void)ret_len;
	(void)ret_size;
	return none();
}

uint64_t
publisher_size(struct publisher *publisher)
{
	(void)publisher;
	return 0;
}

const char *
publisher_origin(const struct publisher *publisher)
{
	(void)publisher;
	return "";
}

const char *
publisher_folder(const struct publisher *publisher)
{
	(void)publisher;
	return "/";
}

struct status
publisher_trouble(struct publisher *publisher)
{
	(void)publisher;
	return status_ok();
}

STATUS
publisher_cosign(struct publisher *publisher, struct bytes note)
{
	(void)publisher;
	(void)note;
	return none();
}

STATUS
publisher_rotate(
    struct publisher *publisher, const char *peer, int64_t deadline_ns)
{
	(void)publisher;
	(void)peer;
	(void)deadline_ns;
	return none();
}

STATUS
publisher_sign(struct publisher *publisher, struct bytes text,
    int64_t deadline_ns, char ret_note[NOTE_MAX], size_t *ret_len)
{
	(void)publisher;
	(void)text;
	(void)deadline_ns;
	(void)ret_note;
	(void)ret_len;
	return none();
}
