/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_ACME_FAKE_H
#define TESTS_FAKE_ACME_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/client.h"
#include "certd/authorities.h"

/*
 * CAs in memory, behind acme/client.h and certd/authorities.h: real
 * certificates, no network.  Their memory outlives processes that are forked
 * from this one and killed.  Each call can be made to fail on cue.  Any thread.
 *
 * Three of them: "first", "second" and "spare", the last for standby only.
 */
enum {
	FAKE_FIRST,
	FAKE_SECOND,
	FAKE_SPARE,
	FAKE_CAS
};

struct authorities *acme_fake_new(void); /* released by authorities_free */
struct acme *acme_fake_at(struct authorities *authorities, int ca);

/* The next times calls of acme_<call> ("order_new") fail so. */
void acme_fake_fail(struct acme *acme, const char *call,
    const struct acme_problem *problem, unsigned times);
/* The same when the call has been done: the answer is lost. */
void acme_fake_lose(struct acme *acme, const char *call);

/* Of what comes after.  0 each: valid for 90 days. */
struct acme_fake_script {
	unsigned processing; /* looks at an order that is not done yet */
	bool is_invalid;     /* validation fails */
	bool wrong_key, lacks_name, not_acme; /* of the certificate */
	int64_t from_s, to_s;                 /* from now; 0: -60, 90 days */
	int64_t expires_s;      /* of orders, from now; 0: a day */
	int64_t retry_after_ms; /* of orders; 0: not said */
	bool keeps_no_list;     /* of orders */
	/* Names that were proven once are, as long as they are not given up;
	 * keeps_proofs: even then. */
	bool reuses_proofs, keeps_proofs;
	/* Its limits let every other question pass, and have the one between
	 * wait a moment. */
	bool is_limited;
	/* Chains to other roots do not come; Retry-After, 0: at once. */
	bool keeps_alternates;
	int64_t alternates_after_ms;
	struct acme_renewal_info info; /* window_end_s 0: no such information */
};
void acme_fake_script(struct acme *acme, const struct acme_fake_script *script);

/* Is it down?  Then choosing passes it over, and asking it fails. */
void acme_fake_down(struct acme *acme, bool down);

/* Calls do not come back, until they are let. */
void acme_fake_hold(struct acme *acme, bool hold);

struct acme_fake_counts {
	unsigned orders, certificates, finalizations, deactivations, answers,
	    revocations, finds;
	unsigned troubles; /* that were told of it */
	/* Of the last order. */
	char replaces[ACME_CERT_ID_MAX];
	char profile[64];
};
void acme_fake_count(struct acme *acme, struct acme_fake_counts *ret_counts);

#endif
