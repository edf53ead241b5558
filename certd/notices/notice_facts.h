/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_FACTS_H
#define CERTD_NOTICES_NOTICE_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/names.h"
#include "certd/notices/notice_text.h"
#include "certd/store_certificates.h"

/* What notices say of a certificate: its lines of the table, and the same for
 * programs.  Within the caller's transaction. */

/* All of it: names, issuer, end, and the resources of its account that use it.
 * *ret_bound: how many resources do, of any account. */
STATUS notice_facts_certificate(struct notice_text *text, struct db_tx *tx,
    const struct store_certificate *certificate, size_t *ret_bound);

/* "a.example, b.example and 3 more"; most: how many are named. */
#define NOTICE_NAMES_MAX 600
#define NOTICE_SHOWN 10 /* of a list in a text */
void notice_facts_print_names(
    const struct names *names, size_t most, char ret_text[NOTICE_NAMES_MAX]);

/* What a list of many says of one; most: how many names, and users, are told.
 */
struct notice_brief {
	char first[HOSTNAME_MAX]; /* a host name, else its own */
	char hostnames[NOTICE_NAMES_MAX], users[NOTICE_NAMES_MAX];
};
STATUS notice_facts_brief(struct db_tx *tx,
    const struct store_certificate *certificate, size_t most,
    struct notice_brief *ret_brief);

/* "in 14 days", "in 5 hours", "2 days ago". */
#define NOTICE_LEFT_MAX 40
void notice_facts_print_left(
    int64_t at_s, int64_t now_s, char ret_text[NOTICE_LEFT_MAX]);

#endif
