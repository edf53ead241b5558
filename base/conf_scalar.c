/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars of a configuration, read by the type that the schema gives them and
 * never guessed: true and false are the only booleans, a duration has a unit,
 * a size is in powers of two, a number has digits alone, and a string is what
 * stands there.  Each refusal says what would be right.
 */
#include "base/conf_scalar.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* From the largest down, so that printing finds the shortest text. */
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };
static const struct unit durations[] = {
	{ "d", UINT64_C(86400000000000) },
	{ "h", UINT64_C(3600000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "s", 1000000000 },
	{ "ms", 1000000 },
	{ "us", 1000 },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", 1 << 30 },
	{ "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

static bool
parse_amount(const char *text, const struct unit *units, uint64_t *ret_amount)
{
	uint64_t amount = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (amount > (UINT64_MAX - digit) / 10)
			return false;
		amount = amount * 10 + digit;
	}
	if (at == text)
		return false;
	for (; units->name != NULL; units++) {
		if (strcmp(at, units->name) == 0)
			return !__builtin_mul_overflow(
			    amount, units->factor, ret_amount);
	}
	return false;
}

static void
print_amount(uint64_t amount, const struct unit *units, char ret_text[32])
{
	while (units[1].name != NULL &&
	       (amount == 0 || amount % units->factor != 0))
		units++;
	snprintf(
	    ret_text, 32, "%" PRIu64 "%s", amount / units->factor, units->name);
}

static bool
is_within(const struct conf_field *field, uint64_t amount,
    const struct unit *units, const char *what, char *ret_why)
{
	char least[32], most[32];

	if (amount >= field->min && (field->max == 0 || amount <= field->max))
		return true;
	print_amount(field->min, units, least);
	print_amount(field->max, units, most);
	if (field->max == 0)
		snprintf(ret_why, CONF_WHY_MAX, "%smust be at least %s", what,
		    least);
	else
		snprintf(ret_why, CONF_WHY_MAX, "%smust be between %s and %s",
		    what, least, most);
	return false;
}

static bool
read_amount(const struct conf_field *field, const char *text,
    uint64_t *ret_amount, char *ret_why)
{
	const struct unit *units = plain;
	const char *right = "a whole number in digits";
	uint64_t limit = UINT64_MAX;
	uint64_t amount;

	if (field->type == CONF_DURATION) {
		units = durations;
		right = "a duration such as 250us, 5s, 10m, 1h or 7d";
		limit = INT64_MAX;
	} else if (field->type == CONF_SIZE) {
		units = sizes;
		right = "a size such as 512, 64KiB, 4MiB or 1GiB";
	}
	if (!parse_amount(text, units, &amount) || amount > limit) {
		char quoted[CONF_QUOTE_MAX];

		conf_scalar_quote(text, quoted);
		snprintf(
		    ret_why, CONF_WHY_MAX, "is %s; write %s", quoted, right);
		return false;
	}
	if (!is_within(field, amount, units, "", ret_why))
		return false;
	*ret_amount = amount;
	return true;
}

static bool
read_string(const struct conf_field *field, const char *text, char **ret_copy,
    char *ret_why)
{
	char *copy;

	if (!is_within(field, strlen(text), plain, "length ", ret_why))
		return false;
	copy = strdup(text);
	if (copy == NULL) {
		snprintf(
		    ret_why, CONF_WHY_MAX, "cannot be kept: out of memory");
		return false;
	}
	*ret_copy = copy;
	return true;
}

static bool
read_bool(const char *text, bool *ret_value, char *ret_why)
{
	bool value = strcmp(text, "true") == 0;
	char quoted[CONF_QUOTE_MAX];

	if (!value && strcmp(text, "false") != 0) {
		conf_scalar_quote(text, quoted);
		snprintf(ret_why, CONF_WHY_MAX, "is %s; write true or false",
		    quoted);
		return false;
	}
	*ret_value = value;
	return true;
}

static bool
read_choice(const struct conf_field *field, const char *text, int *ret_index,
    char *ret_why)
{
	const char *nearest = nearest_word(text, field->choices);
	char quoted[CONF_QUOTE_MAX];
	size_t len;

	for (int i = 0; field->choices[i] != NULL; i++) {
		if (strcmp(text, field->choices[i]) == 0) {
			*ret_index = i;
			return true;
		}
	}
	conf_scalar_quote(text, quoted);
	len = (size_t)snprintf(ret_why, CONF_WHY_MAX, "is %s; ", quoted);
	if (nearest != NULL) {
		snprintf(ret_why + len, CONF_WHY_MAX - len,
		    "did you mean \"%s\"?", nearest);
		return false;
	}
	len += (size_t)snprintf(ret_why + len, CONF_WHY_MAX - len, "write");
	for (int i = 0; field->choices[i] != NULL && len < CONF_WHY_MAX; i++)
		len += (size_t)snprintf(ret_why + len, CONF_WHY_MAX - len,
		    "%s %s", i > 0 ? " or" : "", field->choices[i]);
	return false;
}

bool
conf_scalar_read(const struct conf_field *field, const char *text,
    void *ret_member, char ret_why[CONF_WHY_MAX])
{
	uint64_t amount;

	switch (field->type) {
	case CONF_STRING:
		return read_string(field, text, ret_member, ret_why);
	case CONF_BOOL:
		return read_bool(text, ret_member, ret_why);
	case CONF_CHOICE:
		return read_choice(field, text, ret_member, ret_why);
	case CONF_DURATION:
		if (!read_amount(field, text, &amount, ret_why))
			return false;
		*(int64_t *)ret_member = (int64_t)amount;
		return true;
	case CONF_UINT:
	case CONF_SIZE:
		return read_amount(field, text, ret_member, ret_why);
	default:
		return false;
	}
}

bool
conf_scalar_is(enum conf_type type)
{
	return type != CONF_STRINGS && type != CONF_MAP && type != CONF_MAPS;
}

void
conf_scalar_quote(const char *text, char ret_quoted[CONF_QUOTE_MAX])
{
	size_t len = strlen(text);
	size_t max = CONF_QUOTE_MAX - sizeof("\"\"...");
	bool is_cut = len > max;

	if (is_cut) {
		/* Not through the middle of a UTF-8 character. */
		len = max;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	ret_quoted[0] = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		ret_quoted[i + 1] = c < 0x20 || c == 0x7f ? '?' : text[i];
	}
	snprintf(ret_quoted + len + 1, CONF_QUOTE_MAX - len - 1, "%s\"",
	    is_cut ? "..." : "");
}
