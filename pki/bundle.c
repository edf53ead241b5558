/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A bundle from what people have.  bundle_read is the whole way: each part
 * gives its certificates and perhaps the private key (bundle_parts.c), then the
 * leaf and its chain are found among them (bundle_chain.c).  Whether it may be
 * served is another question (bundle_check.c).  Refuses what is too much before
 * it is looked into.
 */

#include "pki/bundle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "pki/bundle_int.h"
#include "pki/export.h"
#include "pki/pem.h"

STATUS
bundle_fail(char *ret_why, enum status_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_why, BUNDLE_WHY_MAX, format, arguments);
	va_end(arguments);
	return status_fail(code, "the certificate cannot be used as it is");
}

void
bundle_note(struct bundle *bundle, const char *format, ...)
{
	char note[BUNDLE_NOTE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(note, sizeof(note), format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < bundle->n_notes; i++) {
		if (strcmp(bundle->notes[i], note) == 0)
			return;
	}
	if (bundle->n_notes == BUNDLE_NOTES_MAX) {
		snprintf(bundle->notes[BUNDLE_NOTES_MAX - 1], BUNDLE_NOTE_MAX,
		    "and more that is not listed here");
		return;
	}
	memcpy(bundle->notes[bundle->n_notes++], note, sizeof(note));
}

struct bundle_title
bundle_title_of(const char *text)
{
	struct bytes rest = bytes_of(text);
	struct bundle_title title;
	uint32_t point;
	size_t len = 0;

	/* Between characters; what is no UTF-8 is not to be met here. */
	while (rest.len > 0) {
		size_t n = printable_take(rest, &point);

		if (n == 0 || len + n > sizeof(title.text) - 4)
			break;
		len += n;
		rest.at += n;
		rest.len -= n;
	}
	snprintf(title.text, sizeof(title.text), "%.*s%s", (int)len, text,
	    rest.len > 0 ? "..." : "");
	return title;
}

struct bundle_title
bundle_title(const struct pki_cert *cert)
{
	if (cert->subject[0] != 0)
		return bundle_title_of(cert->subject);
	return bundle_title_of(
	    cert->n_names > 0 ? cert->names[0] : cert->serial);
}

static struct status
check_size(const struct bundle_input *input, char *ret_why)
{
	size_t sum = 0;

	if (input->n_parts > BUNDLE_PARTS_MAX)
		return bundle_fail(ret_why, STATUS_INVALID_ARGUMENT,
		    "there are more than %d parts", BUNDLE_PARTS_MAX);
	for (size_t i = 0; i < input->n_parts; i++) {
		if (input->parts[i].len > BUNDLE_OCTETS_MAX - sum)
			return bundle_fail(ret_why, STATUS_INVALID_ARGUMENT,
			    "there is more than %d KiB of it; a certificate "
			    "with its chain and key is a few",
			    BUNDLE_OCTETS_MAX / 1024);
		sum += input->parts[i].len;
	}
	if (sum == 0)
		return bundle_fail(ret_why, STATUS_INVALID_ARGUMENT,
		    "it is empty; give a certificate");
	return status_ok();
}

/* As a field that was left empty arrives. */
static bool
is_blank(struct bytes part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (strchr(" \t\r\n", part.at[i]) == NULL || part.at[i] == 0)
			return false;
	}
	return true;
}

static struct status
read_parts(struct bundle_reading *reading)
{
	const struct bundle_input *input = reading->input;
	struct status st = status_ok();
	char why[BUNDLE_WHY_MAX];

	for (size_t i = 0; !failed(st) && i < input->n_parts; i++) {
		if (is_blank(input->parts[i]))
			continue;
		st = bundle_read_part(reading, input->parts[i]);
		if (!failed(st) || input->n_parts == 1)
			continue;
		/* Lines are counted within a part. */
		memcpy(why, reading->why, sizeof(why));
		snprintf(
		    reading->why, BUNDLE_WHY_MAX, "part %zu: %s", i + 1, why);
	}
	return st;
}

/* What was let pass on the way to the certificates. */
static void
note_parts(struct bundle_reading *reading)
{
	const size_t n_twice = reading->n_given - reading->n_certs;

	for (unsigned bit = 1; bit < PEM_TOLERATED_END_; bit <<= 1) {
		if ((reading->tolerated & bit) != 0)
			bundle_note(reading->bundle, "%s",
			    pem_tolerated_text((enum pem_tolerated)bit));
	}
	if (n_twice > 0)
		bundle_note(reading->bundle,
		    "left out %zu certificate%s that "
		    "%s given twice",
		    n_twice, n_twice == 1 ? "" : "s",
		    n_twice == 1 ? "was" : "were");
	if (reading->n_keys > 1)
		bundle_note(reading->bundle,
		    "took the private key once, which was given %zu times",
		    reading->n_keys);
}

STATUS
bundle_read(const struct bundle_input *input, struct bundle **ret_bundle,
    char ret_why[BUNDLE_WHY_MAX])
{
	scoped(bundle_free) struct bundle *bundle = NULL;
	struct bundle_reading reading = { .input = input, .why = ret_why };
	struct status st;

	memset(ret_why, 0, BUNDLE_WHY_MAX);
	st = check_size(input, ret_why);
	if (failed(st))
		return st;
	bundle = calloc(1, sizeof(*bundle));
	if (bundle == NULL)
		return bundle_fail(ret_why, STATUS_RESOURCE_EXHAUSTED,
		    "there is not enough memory");
	reading.bundle = bundle;
	st = read_parts(&reading);
	if (!failed(st)) {
		note_parts(&reading);
		st = bundle_find_chain(&reading);
	}
	secret_free(reading.passphrase);
	for (size_t i = 0; i < reading.n_certs; i++)
		pki_cert_free(reading.certs[i]);
	if (failed(st))
		return st;
	*ret_bundle = bundle;
	bundle = NULL;
	return st;
}

void
bundle_free(struct bundle *bundle)
{
	if (bundle == NULL)
		return;
	pki_cert_free(bundle->leaf);
	for (size_t i = 0; i < bundle->n_chain; i++)
		pki_cert_free(bundle->chain[i]);
	key_file_done(&bundle->key);
	free(bundle);
}

STATUS
bundle_chain(const struct bundle *bundle, char **ret_pem)
{
	struct bytes ders[BUNDLE_CHAIN_MAX];

	for (size_t i = 0; i < bundle->n_chain; i++)
		ders[i] = bundle->chain[i]->der;
	return export_pem(ders, bundle->n_chain, ret_pem);
}

STATUS
bundle_fullchain(const struct bundle *bundle, char **ret_pem)
{
	struct bytes ders[BUNDLE_CERTS_MAX] = { bundle->leaf->der };

	for (size_t i = 0; i < bundle->n_chain; i++)
		ders[i + 1] = bundle->chain[i]->der;
	return export_pem(ders, bundle->n_chain + 1, ret_pem);
}
