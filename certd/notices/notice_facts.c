/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What notices say of certificates; see notice_facts.h.  Of a shared one, that
 * other accounts use, their resources are counted and not named: a notice tells
 * no account of another.  Lists are cut where they would fill the page.
 */

#include "certd/notices/notice_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/store_bindings.h"
#include "certd/store_resources.h"
#include "certd/word_list.h"
#include "proto/message.h"

#define LISTED 100 /* of a list in data */
#define HOUR_S 3600
#define DAY_S 86400

/* ---- words ---- */

/* Appends one of a list; false: it does not fit, with room for how many more
 * there are. */
static bool
add_word(char *to, size_t max, const char *word)
{
	size_t used = strlen(to);

	if (used + strlen(word) + 24 >= max)
		return false;
	snprintf(to + used, max - used, "%s%s", used == 0 ? "" : ", ", word);
	return true;
}

void
notice_facts_print_names(
    const struct names *names, size_t most, char ret_text[NOTICE_NAMES_MAX])
{
	size_t used, shown = 0;

	ret_text[0] = 0;
	while (shown < names->n && shown < most &&
	       add_word(ret_text, NOTICE_NAMES_MAX, names->at[shown]))
		shown++;
	used = strlen(ret_text);
	if (names->n > shown)
		snprintf(ret_text + used, NOTICE_NAMES_MAX - used,
		    " and %zu more", names->n - shown);
}

void
notice_facts_print_left(
    int64_t at_s, int64_t now_s, char ret_text[NOTICE_LEFT_MAX])
{
	const int64_t left_s = at_s > now_s ? at_s - now_s : now_s - at_s;
	const bool is_days = left_s >= 2 * DAY_S;
	/* So that 14 days less a moment are 14 days. */
	const int64_t n = is_days ? (left_s + DAY_S / 2) / DAY_S
				  : (left_s + HOUR_S / 2) / HOUR_S;

	if (n == 0)
		snprintf(ret_text, NOTICE_LEFT_MAX, "%s",
		    at_s > now_s ? "within the hour" : "just now");
	else
		snprintf(ret_text, NOTICE_LEFT_MAX, "%s%" PRId64 " %s%s%s",
		    at_s > now_s ? "in " : "", n, is_days ? "day" : "hour",
		    n == 1 ? "" : "s", at_s > now_s ? "" : " ago");
}

/* ---- a certificate ---- */

struct certificate_names {
	struct names names;
	bool no_memory;
};

static bool
add_name(void *ctx, const char *name)
{
	struct certificate_names *to = ctx;

	to->no_memory |= !names_add(&to->names, name);
	return !to->no_memory;
}

static struct status
find_names(struct db_tx *tx, int64_t id, struct certificate_names *to)
{
	struct status st = store_certificates_hostnames(tx, id, add_name, to);

	return !failed(st) && to->no_memory ? message_no_memory() : st;
}

static struct status
say_names(struct notice_text *text, struct db_tx *tx, int64_t id)
{
	struct certificate_names found = { .no_memory = false };
	char shown[NOTICE_NAMES_MAX];
	struct status st = find_names(tx, id, &found);

	if (!failed(st) && found.names.n > 0) {
		notice_facts_print_names(&found.names, NOTICE_SHOWN, shown);
		notice_text_fact(text, "Host names", "%s", shown);
	}
	for (size_t i = 0; !failed(st) && i < found.names.n && i < LISTED; i++)
		notice_text_item(text, "hostnames", found.names.at[i]);
	names_done(&found.names);
	return st;
}

struct users {
	struct notice_text *text; /* NULL: nothing for programs */
	struct db_tx *tx;
	int64_t account;
	size_t most; /* that are named */
	size_t named, listed;
	char names[NOTICE_NAMES_MAX];
	struct status st;
};

/* A resource that uses it; one of another account is only counted. */
static bool
add_user(void *ctx, int64_t resource, const char *name)
{
	struct users *to = ctx;
	struct resource_row row;
	char word[RESOURCE_NAME_MAX + NETWORK_NAME_MAX + 24];

	if (to->text == NULL && to->named == to->most)
		return true;
	to->st = store_resources_load(to->tx, resource, &row);
	if (failed(to->st))
		return false;
	if (row.account != to->account)
		return true;
	if (to->text != NULL && to->listed++ < LISTED)
		notice_text_item(to->text, "resources", name);
	if (to->named == to->most)
		return true;
	snprintf(word, sizeof(word), "%s (%s%s)", name,
	    row.https ? "served by edge group " : "HTTPS is off",
	    row.https ? row.edge_group : "");
	to->named += add_word(to->names, sizeof(to->names), word);
	return true;
}

static struct status
find_users(struct users *users, int64_t id, size_t *ret_bound)
{
	size_t bound = 0, used;
	struct status st =
	    bindings_holders(users->tx, id, LISTED, add_user, users, &bound);

	if (!failed(st))
		st = users->st;
	if (failed(st))
		return st;
	used = strlen(users->names);
	if (bound == 0)
		snprintf(users->names, sizeof(users->names), "no resource");
	else if (bound > users->named)
		snprintf(users->names + used, sizeof(users->names) - used,
		    "%s%zu more", used == 0 ? "" : " and ",
		    bound - users->named);
	*ret_bound = bound;
	return st;
}

static struct status
say_users(struct notice_text *text, struct db_tx *tx,
    const struct store_certificate *certificate, size_t *ret_bound)
{
	struct users users = { .text = text,
		.tx = tx,
		.account = certificate->account,
		.most = NOTICE_SHOWN,
		.st = status_ok() };
	struct status st = find_users(&users, certificate->id, ret_bound);

	if (failed(st))
		return st;
	notice_text_fact(text, "Used by", "%s", users.names);
	notice_text_number(text, "resource_count", (int64_t)*ret_bound);
	return st;
}

static void
say_itself(struct notice_text *text, const struct store_certificate *of)
{
	char end[NOTICE_TIME_MAX], hex[2 * PKI_FINGERPRINT_LEN + 1];

	notice_text_time(of->not_after_s, end);
	bytes_to_hex(
	    (struct bytes){ of->fingerprint, PKI_FINGERPRINT_LEN }, hex);
	notice_text_fact(
	    text, "Certificate", "%s (number %" PRId64 ")", of->name, of->id);
	notice_text_fact(text, "Account", "%s", of->account_name);
	notice_text_fact(text, "Issuer", "%s", of->issuer);
	notice_text_fact(text, "Serial number", "%s", of->serial);
	notice_text_fact(text, "Valid until", "%s", end);
	notice_text_number(text, "certificate_id", of->id);
	notice_text_data(text, "certificate", of->name);
	notice_text_data(text, "issuer", of->issuer);
	notice_text_data(text, "serial", of->serial);
	notice_text_data(text, "fingerprint_sha256", hex);
	notice_text_number(text, "not_after_s", of->not_after_s);
}

STATUS
notice_facts_certificate(struct notice_text *text, struct db_tx *tx,
    const struct store_certificate *certificate, size_t *ret_bound)
{
	struct status st;

	say_itself(text, certificate);
	st = say_names(text, tx, certificate->id);
	return failed(st) ? st : say_users(text, tx, certificate, ret_bound);
}

STATUS
notice_facts_brief(struct db_tx *tx,
    const struct store_certificate *certificate, size_t most,
    struct notice_brief *ret_brief)
{
	struct certificate_names found = { .no_memory = false };
	struct users users = { .tx = tx,
		.account = certificate->account,
		.most = most,
		.st = status_ok() };
	struct status st = find_names(tx, certificate->id, &found);
	size_t bound = 0;

	if (!failed(st))
		st = find_users(&users, certificate->id, &bound);
	if (!failed(st)) {
		snprintf(ret_brief->first, sizeof(ret_brief->first), "%s",
		    found.names.n > 0 ? found.names.at[0] : certificate->name);
		notice_facts_print_names(
		    &found.names, most, ret_brief->hostnames);
		memcpy(ret_brief->users, users.names, sizeof(users.names));
	}
	names_done(&found.names);
	return st;
}
