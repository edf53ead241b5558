/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_TOLD_H
#define CERTD_NOTICES_NOTICE_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/db.h"
#include "base/status.h"
#include "certd/notices/store_rules.h"
#include "certd/store_users.h"

/*
 * Who is told of one occasion: whom the rules name, each once, without those
 * who want none of it any more.
 */
#define TOLD_MAX 200 /* of one occasion; more are left out, and logged */

struct told {
	size_t n;
	struct {
		char recipient[STORE_EMAIL_MAX]; /* lower case */
		int64_t webhook; /* 0: recipient is an address */
	} at[TOLD_MAX];
};

struct told_ask {
	int64_t account; /* 0: about the whole */
	int event;
	/* This rule alone; NULL: all of the account for the event. */
	const struct rule_row *rule;
	/* Contacts that an enrollment names, in place of the account's. */
	const int64_t *contacts;
	size_t n_contacts;
	/* Told of what is about the whole whatever rules say; may be NULL. */
	const struct conf_strings *operators;
};

STATUS notice_told(
    struct db_tx *tx, const struct told_ask *ask, struct told *ret_told);

#endif
