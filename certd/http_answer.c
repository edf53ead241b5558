/* SPDX-License-Identifier: Apache-2.0 */

/* Answers of web servers, read; see http_answer.h.  Fronts are known by headers
 * that they alone send; what claims to be one may lie, so it is only told. */

#include "certd/http_answer.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct front {
	const char *header, *value; /* value NULL: whatever it is */
	const char *name;
};

static const struct front FRONTS[] = {
	{ "cf-ray", NULL, "Cloudflare" },
	{ "cf-mitigated", NULL, "Cloudflare" },
	{ "server", "cloudflare", "Cloudflare" },
	{ "server", "akamai", "Akamai" },
	{ "x-akamai-request-id", NULL, "Akamai" },
	{ "x-akamai-transformed", NULL, "Akamai" },
	{ "x-sucuri-id", NULL, "Sucuri" },
	{ "server", "sucuri", "Sucuri" },
	{ "x-iinfo", NULL, "Imperva" },
	{ "x-amz-cf-id", NULL, "Amazon CloudFront" },
	{ "server", "cloudfront", "Amazon CloudFront" },
	{ "x-azure-ref", NULL, "Azure Front Door" },
	{ "x-fastly-request-id", NULL, "Fastly" },
	{ "x-served-by", "cache-", "Fastly" },
	{ "x-vercel-id", NULL, "Vercel" },
	{ "x-nf-request-id", NULL, "Netlify" },
	{ "server", "ddos-guard", "DDoS-Guard" },
	{ "server", "stackpath", "StackPath" },
	{ "server", "bunnycdn", "bunny.net" },
};

/* ---- header lines ---- */

/* Blanks and line ends at both ends go. */
static struct bytes
trimmed(struct bytes text)
{
	while (text.len > 0 && isspace(text.at[text.len - 1]))
		text.len--;
	while (text.len > 0 && isspace(text.at[0])) {
		text.at++;
		text.len--;
	}
	return text;
}

static void
keep(struct bytes value, char *ret_text, size_t max)
{
	size_t len = value.len < max ? value.len : max - 1;
	const uint8_t *zero = memchr(value.at, 0, len);

	if (zero != NULL)
		len = (size_t)(zero - value.at);
	memcpy(ret_text, value.at, len);
	ret_text[len] = 0;
}

static void
take_status(struct http_answer *answer, struct bytes line)
{
	const uint8_t *blank = memchr(line.at, ' ', line.len);
	int status = 0;

	*answer = (struct http_answer){ .status = 0 };
	if (blank == NULL)
		return;
	line.len -= (size_t)(blank + 1 - line.at);
	line.at = blank + 1;
	for (size_t i = 0; i < 3; i++) {
		if (i >= line.len || !isdigit(line.at[i]))
			return;
		status = 10 * status + (line.at[i] - '0');
	}
	answer->status = status;
}

static void
find_front(struct http_answer *answer, const char *name, const char *value)
{
	for (size_t i = 0;
	     i < sizeof(FRONTS) / sizeof(FRONTS[0]) && answer->front == NULL;
	     i++)
		if (strcmp(name, FRONTS[i].header) == 0 &&
		    (FRONTS[i].value == NULL ||
			strncasecmp(value, FRONTS[i].value,
			    strlen(FRONTS[i].value)) == 0))
			answer->front = FRONTS[i].name;
}

static void
lower(char *text)
{
	for (; *text != 0; text++)
		*text = (char)tolower((unsigned char)*text);
}

static void
take_field(struct http_answer *answer, const char *name, struct bytes value)
{
	char begin[64];

	keep(value, begin, sizeof(begin));
	find_front(answer, name, begin);
	if (strcmp(name, "server") == 0)
		keep(value, answer->server, sizeof(answer->server));
	if (strcmp(name, "location") == 0 &&
	    value.len < sizeof(answer->location))
		keep(value, answer->location, sizeof(answer->location));
	if (strcmp(name, "content-type") == 0) {
		begin[strcspn(begin, "; \t")] = 0;
		lower(begin);
		memcpy(answer->content_type, begin, sizeof(begin));
	}
}

void
http_answer_header(struct http_answer *answer, struct bytes line)
{
	const uint8_t *colon;
	char name[64];

	line = trimmed(line);
	if (line.len == 0)
		return;
	if (line.len >= 5 && memcmp(line.at, "HTTP/", 5) == 0) {
		take_status(answer, line);
		return;
	}
	colon = memchr(line.at, ':', line.len);
	if (colon == NULL || (size_t)(colon - line.at) >= sizeof(name))
		return;
	keep((struct bytes){ line.at, (size_t)(colon - line.at) }, name,
	    sizeof(name));
	lower(name);
	take_field(answer, name,
	    trimmed((struct bytes){
		colon + 1, line.len - (size_t)(colon + 1 - line.at) }));
}

/* ---- the body ---- */

bool
http_answer_body(struct http_answer *answer, struct bytes octets)
{
	size_t room = HTTP_ANSWER_BODY_MAX - answer->body_len;
	size_t len = octets.len < room ? octets.len : room;

	if (len > 0)
		memcpy(answer->body + answer->body_len, octets.at, len);
	answer->body_len += len;
	answer->body[answer->body_len] = 0;
	answer->body_is_cut = answer->body_is_cut || octets.len > room;
	return !answer->body_is_cut;
}

bool
http_answer_is(const struct http_answer *answer, const char *text)
{
	size_t len = answer->body_len;

	while (len > 0 && isspace((unsigned char)answer->body[len - 1]))
		len--;
	return !answer->body_is_cut && len == strlen(text) &&
	       memcmp(answer->body, text, len) == 0;
}

bool
http_answer_is_html(const struct http_answer *answer)
{
	size_t blanks = strspn(answer->body, " \t\r\n");

	return strcmp(answer->content_type, "text/html") == 0 ||
	       answer->body[blanks] == '<';
}

bool
http_answer_is_redirect(const struct http_answer *answer)
{
	return answer->location[0] != 0 &&
	       (answer->status == 301 || answer->status == 302 ||
		   answer->status == 303 || answer->status == 307 ||
		   answer->status == 308);
}

bool
http_answer_wants_login(const struct http_answer *answer)
{
	static const char *const WORDS[] = { "login", "signin", "sign-in",
		"log-in", "/auth", "sso", "oauth", "saml" };

	if (answer->status == 401)
		return true;
	for (size_t i = 0; http_answer_is_redirect(answer) &&
			   i < sizeof(WORDS) / sizeof(WORDS[0]);
	     i++)
		if (strcasestr(answer->location, WORDS[i]) != NULL)
			return true;
	return false;
}
