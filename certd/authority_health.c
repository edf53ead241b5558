/* SPDX-License-Identifier: Apache-2.0 */

/* The pace at which a CA that fails is tried again; see authority_health.h. */

#include "certd/authority_health.h"

#include <stdio.h>

#include "base/clock.h"

#define FIRST_NS NS_PER_S
#define MOST_NS (600 * NS_PER_S)
#define UNWELL 2      /* failures in a row */
#define UNUSABLE_AT 6 /* from half a minute on */

void
authority_health_ok(struct authority_health *health)
{
	*health = (struct authority_health){ 0 };
}

static void
rest(struct authority_health *health, int64_t now_ns, const char *why)
{
	int64_t rest_ns = FIRST_NS;

	for (unsigned i = 1; i < health->failures && rest_ns < MOST_NS; i++)
		rest_ns *= 2;
	health->rests_until_ns =
	    now_ns + (rest_ns < MOST_NS ? rest_ns : MOST_NS);
	(void)!snprintf(health->why, sizeof(health->why), "%s", why);
}

void
authority_health_failed(
    struct authority_health *health, int64_t now_ns, const char *why)
{
	if (now_ns < health->rests_until_ns)
		return;
	health->failures++;
	rest(health, now_ns, why);
}

void
authority_health_unusable(
    struct authority_health *health, int64_t now_ns, const char *why)
{
	if (health->failures >= UNUSABLE_AT && now_ns < health->rests_until_ns)
		return;
	health->failures =
	    health->failures < UNUSABLE_AT ? UNUSABLE_AT : health->failures + 1;
	rest(health, now_ns, why);
}

int64_t
authority_health_wait_ns(const struct authority_health *health, int64_t now_ns)
{
	return health->rests_until_ns > now_ns ? health->rests_until_ns - now_ns
					       : 0;
}

bool
authority_health_is_unwell(
    const struct authority_health *health, int64_t now_ns)
{
	return health->failures >= UNWELL &&
	       authority_health_wait_ns(health, now_ns) > 0;
}
