/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_AUTHORITY_HEALTH_H
#define CERTD_AUTHORITY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a CA is worth asking.  A failure rests it for a second, the next one
 * twice as long, up to ten minutes; failures while it rests are of calls that
 * were under way, and do not count.  From the second one on it is unwell, and
 * others are asked in its place.  Not thread-safe; now_ns is monotonic.
 */
#define AUTHORITY_HEALTH_WHY_MAX 512

struct authority_health {  /* begins zeroed */
	unsigned failures; /* in a row */
	int64_t rests_until_ns;
	char why[AUTHORITY_HEALTH_WHY_MAX]; /* of the last failure */
};

void authority_health_ok(struct authority_health *health);
void authority_health_failed(
    struct authority_health *health, int64_t now_ns, const char *why);
/* It takes a person to make it usable: unwell at once. */
void authority_health_unusable(
    struct authority_health *health, int64_t now_ns, const char *why);

/* 0: ask it. */
int64_t authority_health_wait_ns(
    const struct authority_health *health, int64_t now_ns);
bool authority_health_is_unwell(
    const struct authority_health *health, int64_t now_ns);

#endif
