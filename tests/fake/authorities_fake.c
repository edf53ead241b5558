/* SPDX-License-Identifier: Apache-2.0 */

/* CAs that do as they are told; see authorities_fake.h. */

#include "tests/fake/authorities_fake.h"

#include <stdio.h>
#include <string.h>

#include "acme/client.h"
#include "certd/authorities.h"

static struct {
	const char *fails;
	int wait_ms;
	unsigned revoked;
	int reason;
	char name[AUTHORITY_NAME_MAX];
	unsigned char leaf[64];
	size_t len;
} fake;

void
authorities_fake_fail(const char *why)
{
	fake.fails = why;
}

void
authorities_fake_pause(int wait_ms)
{
	fake.wait_ms = wait_ms;
}

unsigned
authorities_fake_revoked(void)
{
	return fake.revoked;
}

int
authorities_fake_reason(void)
{
	return fake.reason;
}

const char *
authorities_fake_name(void)
{
	return fake.name;
}

size_t
authorities_fake_leaf(unsigned char *ret_octets, size_t max)
{
	size_t len = fake.len < max ? fake.len : max;

	memcpy(ret_octets, fake.leaf, len);
	return len;
}

void
authorities_fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
}

/* ---- as certd and acme have them ---- */

bool
authorities_may(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names, int64_t *ret_wait_ms)
{
	(void)authorities;
	(void)name;
	(void)cost;
	(void)names;
	*ret_wait_ms = fake.wait_ms;
	return fake.wait_ms == 0;
}

STATUS
authorities_enter(struct authorities *authorities, const char *name,
    struct authority_session *ret_session, struct acme_problem *ret_problem)
{
	(void)authorities;
	(void)ret_problem;
	snprintf(fake.name, sizeof(fake.name), "%s", name);
	*ret_session = (struct authority_session){ .hold = NULL };
	return status_ok();
}

void
authorities_leave(struct authority_session *session)
{
	(void)session;
}

void
authorities_tell(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names,
    const struct acme_problem *problem)
{
	(void)authorities;
	(void)name;
	(void)cost;
	(void)names;
	(void)problem;
}

STATUS
acme_certificate_revoke(struct acme *acme, const struct acme_account *account,
    struct bytes cert_der, int reason, struct acme_problem *ret_problem)
{
	(void)acme;
	(void)account;
	if (fake.fails != NULL) {
		*ret_problem =
		    (struct acme_problem){ .type = ACME_PROBLEM_UNREACHABLE,
			    .is_temporary = true,
			    .retry_after_ms = -1 };
		snprintf(ret_problem->why, sizeof(ret_problem->why), "%s",
		    fake.fails);
		return status_fail(
		    STATUS_UNAVAILABLE, "the CA cannot be reached");
	}
	fake.revoked++;
	fake.reason = reason;
	fake.len =
	    cert_der.len < sizeof(fake.leaf) ? cert_der.len : sizeof(fake.leaf);
	memcpy(fake.leaf, cert_der.at, fake.len);
	return status_ok();
}
