/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd/audit.h without a ledger: what tests/bench/ledger compares the real one
 * with.  Records nothing and says that it did, so it is linked into a program
 * of the benchmark only and never installed.
 */

#include <stdatomic.h>
#include <stdlib.h>

#include "keyd/audit.h"

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
