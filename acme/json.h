/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_JSON_H
#define ACME_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * Members of a JSON object of a CA's, read strictly.  A reader remembers the
 * first thing that was wrong; all later calls do nothing, so that a caller
 * reads member after member and asks once.  One thread for a reader.
 */
#define ACME_JSON_WHY_MAX 512
#define ACME_JSON_DEPTH_MAX 16

static inline void
scoped_json(json_t **at)
{
	json_decref(*at);
}

struct acme_json {
	const json_t *object; /* borrowed */
	const char *origin;   /* URLs must be on this one's; NULL: any */
	bool is_bad;
	char why[ACME_JSON_WHY_MAX]; /* once is_bad */
};

/*
 * One object, no member twice, nested at most ACME_JSON_DEPTH_MAX.
 * INVALID_ARGUMENT with a sentence, which shows how the body begins.
 */
STATUS acme_json_load(
    struct bytes body, json_t **ret_json, char ret_why[ACME_JSON_WHY_MAX]);

/* The answer's body for people: its first characters, escaped. */
#define ACME_JSON_SHOWN_MAX 96
void acme_json_show(struct bytes body, char ret_text[ACME_JSON_SHOWN_MAX]);

void acme_json_init(
    struct acme_json *ret_json, const json_t *object, const char *origin);
void acme_json_bad(struct acme_json *json, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each leaves its output as it is when the member is not there or null. */
enum acme_json_need {
	ACME_JSON_OPTIONAL,
	ACME_JSON_REQUIRED
};
void acme_json_text(struct acme_json *json, const char *name,
    enum acme_json_need need, char *ret_text, size_t max);
/* Of at most ACME_URL_MAX octets, on the reader's origin. */
void acme_json_url(struct acme_json *json, const char *name,
    enum acme_json_need need, char *ret_url);
void acme_json_url_of(
    struct acme_json *json, const json_t *value, const char *name, char *ret);
/* RFC 3339, in seconds; parts of one are cut. */
void acme_json_time(struct acme_json *json, const char *name,
    enum acme_json_need need, int64_t *ret_s);
void acme_json_flag(struct acme_json *json, const char *name, bool *ret_flag);
/* An array of at most max; NULL when there is none. */
const json_t *acme_json_array(struct acme_json *json, const char *name,
    enum acme_json_need need, size_t max);
/* An object within; NULL when there is none. */
const json_t *acme_json_object(
    struct acme_json *json, const char *name, enum acme_json_need need);

/* RFC 3339 5.6; Unix time. */
bool acme_json_parse_time(const char *text, int64_t *ret_s);

#endif
