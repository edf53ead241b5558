/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The set of sites and its file.  The file is edged's own and still read as
 * foreign bytes: a disk may have kept half of it.  So it ends with the hash of
 * all that stands before, numbers have one spelling, order is fixed, and host
 * names are checked as if certd had just sent them.
 */

#include "edge/sites.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "holdfast-sites-v1"
#define WORDS_MAX 4

/* --- The set ----------------------------------------------------------------
 */

static void
entry_free(struct sites_entry *entry)
{
	site_unref(entry->site);
	free(entry->http.problem);
	free(entry);
}

void
sites_done(struct sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		entry_free(sites->at[i]);
	for (size_t i = 0; i < sites->n_gone; i++)
		free(sites->gone[i].host);
	free(sites->at);
	free(sites->gone);
	*sites = (struct sites){ 0 };
}

/* Where id stands, or would stand. */
static size_t
place_of(const struct sites *sites, int64_t id)
{
	size_t low = 0, high = sites->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sites->at[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct sites_entry *
sites_find(const struct sites *sites, int64_t id)
{
	size_t i = place_of(sites, id);

	return i < sites->n && sites->at[i]->id == id ? sites->at[i] : NULL;
}

struct sites_entry *
sites_take(struct sites *sites, int64_t id)
{
	size_t i = place_of(sites, id);
	struct sites_entry *entry;

	if (i < sites->n && sites->at[i]->id == id)
		return sites->at[i];
	if (sites->n == SITES_MAX)
		return NULL;
	if (sites->n == sites->room) {
		size_t room = sites->room == 0 ? 64 : 2 * sites->room;
		struct sites_entry **at =
		    realloc(sites->at, room * sizeof(struct sites_entry *));

		if (at == NULL)
			return NULL;
		sites->at = at;
		sites->room = room;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->id = id;
	entry->probe_ns = entry->http.next_ns = INT64_MAX;
	memmove(sites->at + i + 1, sites->at + i,
	    (sites->n - i) * sizeof(struct sites_entry *));
	sites->at[i] = entry;
	sites->n++;
	return entry;
}

void
sites_compact(struct sites *sites)
{
	size_t n = 0;

	for (size_t i = 0; i < sites->n; i++) {
		if (sites->at[i]->id > 0)
			sites->at[n++] = sites->at[i];
		else
			entry_free(sites->at[i]);
	}
	sites->n = n;
}

void
sites_gone_drop(struct sites *sites, const char *host)
{
	for (size_t i = 0; i < sites->n_gone; i++)
		if (strcmp(sites->gone[i].host, host) == 0) {
			free(sites->gone[i].host);
			sites->gone[i] = sites->gone[--sites->n_gone];
			return;
		}
}

bool
sites_gone_add(struct sites *sites, const char *host, int64_t since_s)
{
	struct sites_gone *gone;
	char *copy = strdup(host);

	gone = realloc(sites->gone, (sites->n_gone + 1) * sizeof(*sites->gone));
	if (gone != NULL)
		sites->gone = gone;
	if (gone == NULL || copy == NULL) {
		free(copy);
		return false;
	}
	gone[sites->n_gone++] =
	    (struct sites_gone){ .host = copy, .since_s = since_s };
	return true;
}

/* --- Writing ----------------------------------------------------------------
 */

static void
print_certificate(
    FILE *to, const char *word, const struct site_certificate *certificate)
{
	char hex[2 * SITE_FINGERPRINT_LEN + 1];

	bytes_to_hex(
	    (struct bytes){ certificate->fingerprint, SITE_FINGERPRINT_LEN },
	    hex);
	fprintf(to, "%s %s %s\n", word, site_kind_name(certificate->kind), hex);
}

static void
print_entry(FILE *to, const struct sites_entry *entry)
{
	const struct site *site = entry->site;

	fprintf(to, "site %" PRId64 " %" PRId64 " %" PRId64 "\n", entry->id,
	    site->version, entry->served_version);
	for (size_t i = 0; i < site->n_hosts; i++)
		fprintf(to, "host %s\n", site->hosts[i]);
	for (size_t i = 0; i < site->n_certificates; i++)
		print_certificate(to, "certificate", &site->certificates[i]);
	if (site->has_standby)
		print_certificate(to, "standby", &site->standby);
}

static void
print_all(FILE *to, const struct sites *sites)
{
	char hex[2 * SITES_TAG_LEN + 1];

	bytes_to_hex((struct bytes){ sites->tag, SITES_TAG_LEN }, hex);
	fprintf(
	    to, FIRST_LINE "\nversion %" PRId64 " %s\n", sites->version, hex);
	for (size_t i = 0; i < sites->n; i++)
		if (sites->at[i]->site != NULL)
			print_entry(to, sites->at[i]);
	for (size_t i = 0; i < sites->n_gone; i++)
		fprintf(to, "gone %s %" PRId64 "\n", sites->gone[i].host,
		    sites->gone[i].since_s);
}

char *
sites_print(const struct sites *sites, size_t *ret_len)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1], *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		return NULL;
	print_all(to, sites);
	if (fflush(to) == 0) {
		SHA256((const unsigned char *)text, len, digest);
		bytes_to_hex((struct bytes){ digest, sizeof(digest) }, hex);
		fprintf(to, "end %s\n", hex);
	}
	if (ferror(to) != 0 || fclose(to) != 0) {
		free(text);
		return NULL;
	}
	*ret_len = len;
	return text;
}

/* --- Reading ----------------------------------------------------------------
 */

static struct status
broken(const char *why)
{
	return status_fail(STATUS_DATA_LOSS, why);
}

/* One line, its words apart. */
struct line {
	char text[512];
	const char *word[WORDS_MAX];
	size_t n;
};

/* Words are of letters one sees, with one blank between two. */
static bool
take_line(struct bytes *from, struct line *ret_line)
{
	const uint8_t *end =
	    from->len == 0 ? NULL : memchr(from->at, '\n', from->len);
	struct bytes all;
	char *at = ret_line->text;

	if (end == NULL || (size_t)(end - from->at) >= sizeof(ret_line->text) ||
	    !bytes_take(from, (size_t)(end - from->at) + 1, &all))
		return false;
	memcpy(at, all.at, all.len - 1);
	at[all.len - 1] = '\0';
	if (strlen(at) != all.len - 1)
		return false;
	for (ret_line->n = 0; ret_line->n < WORDS_MAX;) {
		ret_line->word[ret_line->n++] = at;
		at += strcspn(at, " ");
		if (at == ret_line->word[ret_line->n - 1])
			return false;
		if (*at == '\0')
			return true;
		*at++ = '\0';
	}
	return false;
}

/* As print writes it: no sign, no zero in front. */
static bool
parse_number(const char *text, int64_t *ret_number)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 18 || text[len] != '\0' ||
	    (text[0] == '0' && len > 1))
		return false;
	*ret_number = (int64_t)strtoll(text, NULL, 10);
	return true;
}

/* Lower case, as print writes it. */
static bool
parse_hex(const char *text, size_t len, uint8_t *ret_at)
{
	return text[strspn(text, "0123456789abcdef")] == '\0' &&
	       bytes_from_hex(text, len, ret_at);
}

/* What a site's lines have said so far. */
struct draft {
	int64_t id, version, served;
	const char *hosts[SITE_HOSTS_MAX];
	size_t n_hosts;
	struct site_certificate certificates[SITE_KINDS];
	size_t n_certificates;
	bool has_standby;
	struct site_certificate standby;
};

static bool
draft_certificate(struct draft *draft, const struct line *line)
{
	struct site_certificate one;
	const size_t n = draft->n_certificates;

	if (!site_kind_parse(line->word[1], &one.kind) ||
	    !parse_hex(line->word[2], SITE_FINGERPRINT_LEN, one.fingerprint) ||
	    draft->has_standby)
		return false;
	if (strcmp(line->word[0], "standby") == 0) {
		draft->has_standby = true;
		draft->standby = one;
		return n > 0;
	}
	if (n == SITE_KINDS ||
	    (n > 0 && draft->certificates[n - 1].kind >= one.kind))
		return false;
	draft->certificates[draft->n_certificates++] = one;
	return true;
}

static bool
draft_line(struct draft *draft, const struct line *line)
{
	const char *host = line->word[1];

	if (line->n == 2 && strcmp(line->word[0], "host") == 0) {
		if (draft->n_hosts == SITE_HOSTS_MAX || !site_host_ok(host) ||
		    draft->n_certificates > 0 ||
		    (draft->n_hosts > 0 &&
			strcmp(draft->hosts[draft->n_hosts - 1], host) >= 0))
			return false;
		draft->hosts[draft->n_hosts] = strdup(host);
		return draft->hosts[draft->n_hosts] != NULL &&
		       ++draft->n_hosts > 0;
	}
	return line->n == 3 && draft->n_hosts > 0 &&
	       draft_certificate(draft, line);
}

static bool
draft_finish(struct draft *draft, struct sites *sites)
{
	struct sites_entry *entry = NULL;
	bool in_order =
	    sites->n == 0 || sites->at[sites->n - 1]->id < draft->id;

	if (in_order && draft->n_hosts > 0)
		entry = sites_take(sites, draft->id);
	if (entry != NULL) {
		entry->served_version = draft->served;
		entry->site = site_new(draft->id, draft->version, draft->hosts,
		    draft->n_hosts, draft->certificates, draft->n_certificates);
		if (entry->site != NULL && draft->has_standby)
			site_set_standby(entry->site, &draft->standby);
	}
	for (size_t i = 0; i < draft->n_hosts; i++)
		free((void *)(uintptr_t)draft->hosts[i]);
	draft->n_hosts = draft->n_certificates = 0;
	draft->has_standby = false;
	return entry != NULL && entry->site != NULL;
}

/* A site with the lines that belong to it; *line is the one after. */
static bool
parse_site(struct bytes *from, struct line *line, struct draft *draft,
    struct sites *sites)
{
	bool good = line->n == 4 && parse_number(line->word[1], &draft->id) &&
		    parse_number(line->word[2], &draft->version) &&
		    parse_number(line->word[3], &draft->served) &&
		    draft->id > 0 && draft->version > 0 &&
		    draft->served <= draft->version;

	while (good && take_line(from, line)) {
		if (strcmp(line->word[0], "host") != 0 &&
		    strcmp(line->word[0], "certificate") != 0 &&
		    strcmp(line->word[0], "standby") != 0)
			return draft_finish(draft, sites);
		good = draft_line(draft, line);
	}
	draft_finish(draft, sites);
	return false;
}

static bool
parse_gone(const struct line *line, struct sites *sites)
{
	int64_t since_s;

	return line->n == 3 && site_host_ok(line->word[1]) &&
	       parse_number(line->word[2], &since_s) &&
	       sites_gone_add(sites, line->word[1], since_s);
}

static bool
parse_lines(struct bytes from, struct sites *sites)
{
	struct draft *draft = calloc(1, sizeof(*draft));
	struct line line;
	bool good = draft != NULL && take_line(&from, &line) && line.n == 1 &&
		    strcmp(line.word[0], FIRST_LINE) == 0 &&
		    take_line(&from, &line) && line.n == 3 &&
		    strcmp(line.word[0], "version") == 0 &&
		    parse_number(line.word[1], &sites->version) &&
		    parse_hex(line.word[2], SITES_TAG_LEN, sites->tag) &&
		    take_line(&from, &line);

	while (good && strcmp(line.word[0], "site") == 0)
		good = parse_site(&from, &line, draft, sites);
	while (good && strcmp(line.word[0], "gone") == 0)
		good = parse_gone(&line, sites) && take_line(&from, &line);
	free(draft);
	return good && line.n == 2 && strcmp(line.word[0], "end") == 0 &&
	       strlen(line.word[1]) == (size_t)2 * SHA256_DIGEST_LENGTH &&
	       from.len == 0;
}

/* "end ", hex and a newline. */
#define LAST_LINE_LEN (4 + 2 * SHA256_DIGEST_LENGTH + 1)

static bool
hash_fits(struct bytes text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char last[LAST_LINE_LEN + 1];
	size_t len = text.len - LAST_LINE_LEN;

	SHA256(text.at, len, digest);
	memcpy(last, "end ", 4);
	bytes_to_hex((struct bytes){ digest, sizeof(digest) }, last + 4);
	memcpy(last + LAST_LINE_LEN - 1, "\n", 2);
	return memcmp(text.at + len, last, LAST_LINE_LEN) == 0;
}

STATUS
sites_parse(struct bytes text, struct sites *ret_sites)
{
	struct sites sites = { 0 };

	if (text.len > SITES_STATE_MAX)
		return broken("the state of the sites is larger than any is");
	if (text.len < LAST_LINE_LEN || !hash_fits(text))
		return broken("the state of the sites does not fit its hash");
	if (!parse_lines(text, &sites)) {
		sites_done(&sites);
		return broken("the state of the sites cannot be read");
	}
	*ret_sites = sites;
	return status_ok();
}
