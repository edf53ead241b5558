/* SPDX-License-Identifier: Apache-2.0 */

/* A token and a journal that do as struct keyd_fake says. */

#include "tests/fake/keyd_fake.h"

#include <string.h>

#include "hsm/hsm.h"

struct keyd_fake fake = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

void
fake_reset(void)
{
	fake.hsm = fake.audit = fake.trouble = fake.stall = status_ok();
	fake.lanes = 1;
	fake.hint = HSM_BATCH_MAX;
	fake.hold = false;
	fake.hsm_calls = fake.audit_calls = fake.audits_while_signing = 0;
	fake.hsm_ops = fake.n_entries = 0;
}

void
fake_hold(bool hold)
{
	pthread_mutex_lock(&fake.lock);
	fake.hold = hold;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
}

void
fake_wait_hsm_calls(unsigned n)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.hsm_calls < n)
		pthread_cond_wait(&fake.changed, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

void
hsm_sign_while(struct hsm *hsm, struct hsm_op *ops, size_t n,
    void (*meanwhile)(void *ctx), void *ctx)
{
	(void)hsm;
	if (n == 0) {
		meanwhile(ctx);
		return;
	}
	pthread_mutex_lock(&fake.lock);
	fake.hsm_calls++;
	for (size_t i = 0; i < n && fake.hsm_ops < FAKE_ENTRIES_MAX; i++)
		fake.ops_key[fake.hsm_ops++] = ops[i].key;
	pthread_cond_broadcast(&fake.changed);
	while (fake.hold)
		pthread_cond_wait(&fake.changed, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
	fake.signing++;
	meanwhile(ctx);
	fake.signing--;
	for (size_t i = 0; i < n; i++) {
		size_t len = ops[i].input.len;

		if (len > SIGNATURE_MAX - 1)
			len = SIGNATURE_MAX - 1;
		ops[i].status = fake.hsm;
		ops[i].signature.len = 1 + len;
		ops[i].signature.at[0] = 's';
		memcpy(ops[i].signature.at + 1, ops[i].input.at, len);
	}
}

size_t
hsm_batch_hint(const struct hsm *hsm)
{
	(void)hsm;
	return fake.hint;
}

unsigned
hsm_lanes(const struct hsm *hsm)
{
	(void)hsm;
	return fake.lanes;
}

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	(void)audit;
	pthread_mutex_lock(&fake.lock);
	fake.audit_calls++;
	fake.audits_while_signing += fake.signing > 0;
	for (size_t i = 0; i < n && fake.n_entries < FAKE_ENTRIES_MAX; i++)
		fake.entries[fake.n_entries++] = entries[i];
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return fake.audit;
}

struct status
audit_trouble(const struct audit *audit)
{
	(void)audit;
	return fake.trouble;
}

struct status
audit_stall(const struct audit *audit)
{
	(void)audit;
	return fake.stall;
}
