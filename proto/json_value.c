/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Single values between a message's field and JSON.  Numbers are whole and in
 * range, or decimal texts of such, where the field is no double; octets are
 * base64 exactly as RFC 4648 4 has it; an enum's value is a word that its type
 * knows.  Nothing is guessed: a value that is not of its field's type is
 * refused.
 */

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/nearest.h"
#include "base/printable.h"
#include "proto/json.h"
#include "proto/json_int.h"
#include "proto/message.h"

#define WORDS_MAX 64
#define SHOWN_MAX 48

size_t
json_value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_BOOL:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default: /* nothing here has single floats or fixed numbers */
		return 0;
	}
}

/* ---- numbers ---- */

/* A whole number as sign and magnitude. */
struct number {
	bool negative;
	uint64_t size;
};

static bool
number_of_text(const char *text, struct number *ret_number)
{
	struct number number = { .negative = text[0] == '-' };
	const char *at = text + (number.negative ? 1 : 0);

	if (*at == 0 || (at[0] == '0' && at[1] != 0))
		return false;
	for (; *at != 0; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (*at < '0' || *at > '9' ||
		    number.size > (UINT64_MAX - digit) / 10)
			return false;
		number.size = 10 * number.size + digit;
	}
	*ret_number = number;
	return true;
}

static bool
number_of(const json_t *value, struct number *ret_number)
{
	json_int_t number;

	if (json_is_string(value))
		return number_of_text(json_string_value(value), ret_number);
	if (!json_is_integer(value))
		return false;
	number = json_integer_value(value);
	*ret_number = (struct number){ number < 0,
		number < 0 ? (uint64_t) - (number + 1) + 1 : (uint64_t)number };
	return true;
}

static STATUS
read_signed(struct json_place *place, const json_t *value, int64_t max,
    int64_t *ret_number)
{
	struct number number;

	if (!number_of(value, &number))
		return json_complain(place, "must be a whole number");
	if (number.size > (uint64_t)max + (number.negative ? 1 : 0))
		return json_complain(place, "is out of range");
	if (number.negative && number.size > 0)
		*ret_number = -(int64_t)(number.size - 1) - 1;
	else
		*ret_number = (int64_t)number.size;
	return status_ok();
}

static STATUS
read_unsigned(struct json_place *place, const json_t *value, uint64_t max,
    uint64_t *ret_number)
{
	struct number number;

	if (!number_of(value, &number) || (number.negative && number.size > 0))
		return json_complain(
		    place, "must be a whole number, 0 or more");
	if (number.size > max)
		return json_complain(place, "is out of range");
	*ret_number = number.size;
	return status_ok();
}

/* ---- words ---- */

static size_t
type_prefix(const ProtobufCEnumDescriptor *type, char *ret_prefix, size_t max)
{
	size_t len = 0;

	/* CertificateKind is CERTIFICATE_KIND_ in its values. */
	for (const char *at = type->short_name; *at != 0 && len + 3 < max;
	     at++) {
		bool upper = *at >= 'A' && *at <= 'Z';

		if (upper && len > 0)
			ret_prefix[len++] = '_';
		ret_prefix[len++] =
		    *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
	}
	ret_prefix[len++] = '_';
	ret_prefix[len] = 0;
	return len;
}

void
json_word(const ProtobufCEnumDescriptor *type, const ProtobufCEnumValue *value,
    char *ret_word, size_t max)
{
	char prefix[JSON_WORD_MAX];
	size_t len = type_prefix(type, prefix, sizeof(prefix));
	const char *at = value->name;

	if (strncmp(at, prefix, len) == 0)
		at += len;
	snprintf(ret_word, max, "%s", at);
	for (; *ret_word != 0; ret_word++)
		if (*ret_word >= 'A' && *ret_word <= 'Z')
			*ret_word = (char)(*ret_word - 'A' + 'a');
}

static STATUS
complain_of_word(struct json_place *place, const ProtobufCEnumDescriptor *type,
    const char *text)
{
	char words[WORDS_MAX][JSON_WORD_MAX], shown[SHOWN_MAX];
	const char *list[WORDS_MAX + 1], *nearest;
	size_t n = 0;

	for (; n < type->n_values && n < WORDS_MAX; n++) {
		json_word(type, &type->values[n], words[n], JSON_WORD_MAX);
		list[n] = words[n];
	}
	list[n] = NULL;
	printable_print(bytes_of(text), shown, sizeof(shown));
	nearest = nearest_word(text, list);
	if (nearest != NULL)
		return json_complain(place,
		    "there is no \"%s\"; did you mean \"%s\"?", shown, nearest);
	return json_complain(place, "there is no \"%s\"; \"%s\" is one", shown,
	    list[n > 1 ? 1 : 0]);
}

static STATUS
read_enum(struct json_place *place, const ProtobufCEnumDescriptor *type,
    const json_t *value, int *ret_value)
{
	const char *text = json_string_value(value);
	char word[JSON_WORD_MAX];

	if (text == NULL)
		return json_complain(place, "must be a word");
	for (unsigned i = 0; i < type->n_values; i++) {
		json_word(type, &type->values[i], word, sizeof(word));
		if (strcmp(text, word) == 0 ||
		    strcmp(text, type->values[i].name) == 0) {
			*ret_value = type->values[i].value;
			return status_ok();
		}
	}
	return complain_of_word(place, type, text);
}

static json_t *
print_enum(const ProtobufCEnumDescriptor *type, int number)
{
	const ProtobufCEnumValue *value =
	    protobuf_c_enum_descriptor_get_value(type, number);
	char word[JSON_WORD_MAX];

	if (value == NULL)
		return json_integer(number);
	json_word(type, value, word, sizeof(word));
	return json_string(word);
}

static STATUS
read_bool(struct json_place *place, const json_t *value, protobuf_c_boolean *at)
{
	const char *text = place->texts ? json_string_value(value) : NULL;
	bool is_true =
	    json_is_true(value) || (text != NULL && strcmp(text, "true") == 0);

	if (!is_true && !json_is_false(value) &&
	    (text == NULL || strcmp(text, "false") != 0))
		return json_complain(place, "must be true or false");
	*at = is_true;
	return status_ok();
}

/* ---- texts and octets ---- */

static STATUS
read_text(struct json_place *place, const json_t *value, char **at)
{
	if (!json_is_string(value))
		return json_complain(place, "must be a text");
	return message_text(at, json_string_value(value)) ? status_ok()
							  : message_no_memory();
}

/* base64, and nothing but the one spelling of these octets. */
static bool
octets_of(const char *text, size_t len, uint8_t *octets, size_t *ret_len)
{
	uint8_t *again;
	size_t padding = 0;
	bool same;
	int n;

	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	if (len % 4 != 0)
		return false;
	n = EVP_DecodeBlock(octets, (const uint8_t *)text, (int)len);
	again = n < 0 ? NULL : calloc(1, len + 1);
	if (again == NULL)
		return false;
	EVP_EncodeBlock(again, octets, n - (int)padding);
	same = memcmp(again, text, len) == 0;
	free(again);
	*ret_len = (size_t)n - padding;
	return same;
}

static STATUS
read_octets(
    struct json_place *place, const json_t *value, ProtobufCBinaryData *at)
{
	size_t len = json_string_length(value), n = 0;
	uint8_t *octets;
	struct status st = status_ok();

	if (!json_is_string(value))
		return json_complain(place, "must be a text in base64");
	if (len == 0)
		return st;
	octets = malloc(len);
	if (octets == NULL)
		return message_no_memory();
	if (!octets_of(json_string_value(value), len, octets, &n))
		st = json_complain(place,
		    "must be base64, with padding and without line breaks");
	else if (!message_bytes(at, (struct bytes){ octets, n }))
		st = message_no_memory();
	free(octets);
	return st;
}

static json_t *
print_octets(const ProtobufCBinaryData *octets)
{
	char *text = malloc(octets->len / 3 * 4 + 5);
	json_t *json;

	if (text == NULL)
		return NULL;
	text[0] = 0;
	if (octets->len > 0)
		EVP_EncodeBlock(
		    (uint8_t *)text, octets->data, (int)octets->len);
	json = json_string(text);
	free(text);
	return json;
}

/* What we keep is UTF-8; were it not, it is shown escaped, not left out. */
static json_t *
print_text(const char *text)
{
	char *shown;
	json_t *json;

	if (text == NULL)
		return json_string("");
	json = json_string(text);
	if (json != NULL)
		return json;
	shown = malloc(PRINTABLE_MAX(strlen(text)));
	if (shown == NULL)
		return NULL;
	printable_print(bytes_of(text), shown, PRINTABLE_MAX(strlen(text)));
	json = json_string(shown);
	free(shown);
	return json;
}

/* ---- any of them ---- */

STATUS
json_value_read(struct json_place *place, const ProtobufCFieldDescriptor *field,
    const json_t *value, void *at)
{
	int64_t number = 0;
	uint64_t size = 0;
	struct status st;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
		st = read_signed(place, value, INT32_MAX, &number);
		*(int32_t *)at = (int32_t)number;
		return st;
	case PROTOBUF_C_TYPE_INT64:
		st = read_signed(place, value, INT64_MAX, &number);
		*(int64_t *)at = number;
		return st;
	case PROTOBUF_C_TYPE_UINT32:
		st = read_unsigned(place, value, UINT32_MAX, &size);
		*(uint32_t *)at = (uint32_t)size;
		return st;
	case PROTOBUF_C_TYPE_UINT64:
		/* What JSON can say again: jansson's integers are signed. */
		st = read_unsigned(place, value, INT64_MAX, &size);
		*(uint64_t *)at = size;
		return st;
	case PROTOBUF_C_TYPE_DOUBLE:
		if (!json_is_number(value))
			return json_complain(place, "must be a number");
		*(double *)at = json_number_value(value);
		return status_ok();
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(place, field->descriptor, value, at);
	case PROTOBUF_C_TYPE_BOOL:
		return read_bool(place, value, at);
	case PROTOBUF_C_TYPE_STRING:
		return read_text(place, value, at);
	case PROTOBUF_C_TYPE_BYTES:
		return read_octets(place, value, at);
	default:
		return status_fail(STATUS_INTERNAL,
		    "a field of a type that JSON is not made for here");
	}
}

json_t *
json_value_print(const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
		return json_integer(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return print_enum(field->descriptor, *(const int *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_STRING:
		return print_text(*(char *const *)at);
	case PROTOBUF_C_TYPE_BYTES:
		return print_octets(at);
	default:
		return json_null();
	}
}
