/* SPDX-License-Identifier: Apache-2.0 */

/* The credentials file of an acme-dns provider.  What is taken is whole: every
 * text is in its place, ended, and fit for a header. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "certd/dns_provider_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct dns_provider_credentials *c, size_t at)
{
	struct bytes secrets = secret_bytes(c->secrets);
	const char *text = (const char *)secrets.at + at;

	assert(at < secrets.len);
	assert(memchr(text, 0, secrets.len - at) != NULL);
	assert(text[0] != 0 && strpbrk(text, "\r\n ") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_provider_credentials c = { 0 };
	char why[PROBLEM_MAX] = "";

	if (size > 65535)
		return 0;
	if (failed(dns_provider_acme_dns_parse(
		(struct bytes){ data, size }, &c, why))) {
		assert(c.at == NULL);
		return 0;
	}
	for (size_t i = 0; i < c.n; i++) {
		check(&c, c.at[i].username);
		check(&c, c.at[i].password);
		assert(c.at[i].name[0] != 0 && c.at[i].subdomain[0] != 0);
	}
	dns_provider_credentials_done(&c);
	return 0;
}
