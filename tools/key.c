/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key: make keys, look at them, say who may use them, and hand out the
 * public stub.  A key is named by its label or by its 64-digit id.
 */

#include "tools/key.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stub.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define PAGE 500

static void
free_key(Holdfast__Keyd__V1__Key *key)
{
	if (key != NULL)
		protobuf_c_message_free_unpacked(&key->base, NULL);
}
SCOPED_RELEASE(free_key, Holdfast__Keyd__V1__Key *);

static void
id_text(const ProtobufCBinaryData *id, char ret_text[KEY_ID_TEXT_MAX])
{
	if (id->len != KEY_ID_LEN)
		snprintf(ret_text, KEY_ID_TEXT_MAX, "?");
	else
		bytes_to_hex((struct bytes){ id->data, id->len }, ret_text);
}

static const char *
alg_text(const Holdfast__Keyd__V1__Key *key)
{
	const char *name = key_alg_name((enum key_alg)key->algorithm);

	return name == NULL ? "?" : name;
}

/* "tls13_server tls12_server_ecdhe" */
static void
contexts_text(
    const Holdfast__Keyd__V1__KeyGrant *grant, char *ret_text, size_t max)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < grant->n_contexts && used < max; i++) {
		const char *name =
		    sign_context_name((enum sign_context)grant->contexts[i]);

		used += (size_t)snprintf(ret_text + used, max - used, "%s%s",
		    i == 0 ? "" : " ", name == NULL ? "?" : name);
	}
}

static json_t *
key_json(const Holdfast__Keyd__V1__Key *key)
{
	char id[KEY_ID_TEXT_MAX];
	json_t *grants = json_array();
	json_t *json;

	id_text(&key->id, id);
	for (size_t i = 0; i < key->n_grants; i++) {
		json_t *contexts = json_array();

		for (size_t j = 0; j < key->grants[i]->n_contexts; j++) {
			const char *name = sign_context_name(
			    (enum sign_context)key->grants[i]->contexts[j]);

			json_array_append_new(
			    contexts, json_string(name == NULL ? "?" : name));
		}
		json_array_append_new(grants,
		    json_pack("{s:s, s:o}", "identity",
			key->grants[i]->identity, "contexts", contexts));
	}
	json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o}", "id", id,
	    "label", key->label, "algorithm", alg_text(key), "pool", key->pool,
	    "created_s", (json_int_t)key->created_s, "created_by",
	    key->created_by, "grants", grants);
	if (json != NULL && key->attributes != NULL) {
		json_object_set_new(json, "attributes",
		    json_pack("{s:b, s:b, s:b, s:b, s:b}", "sensitive",
			key->attributes->sensitive, "extractable",
			key->attributes->extractable, "always_sensitive",
			key->attributes->always_sensitive, "never_extractable",
			key->attributes->never_extractable, "local",
			key->attributes->local));
	}
	return json;
}

void
cli_print_key(const struct cli *cli, const Holdfast__Keyd__V1__Key *key)
{
	char id[KEY_ID_TEXT_MAX], contexts[256], age[AGE_TEXT_MAX];

	if (cli->json) {
		json_t *json = key_json(key);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	id_text(&key->id, id);
	cli_age(key->created_s, age);
	printf(
	    "label       %s\nid          %s\nalgorithm   %s\npool        %s\n"
	    "created     %s by %s\n",
	    key->label, id, alg_text(key), key->pool, age, key->created_by);
	if (key->attributes != NULL) {
		const Holdfast__Keyd__V1__TokenAttributes *a = key->attributes;

		printf("the token   %s, %s, %s\n",
		    a->sensitive ? "sensitive" : "NOT SENSITIVE",
		    a->never_extractable ? "never extractable"
		    : a->extractable     ? "EXTRACTABLE"
					 : "not extractable",
		    a->local ? "made inside" : "imported");
	}
	for (size_t i = 0; i < key->n_grants; i++) {
		contexts_text(key->grants[i], contexts, sizeof(contexts));
		printf("%s%s may %s\n",
		    i == 0 ? "grants      " : "            ",
		    key->grants[i]->identity, contexts);
	}
	if (key->n_grants == 0)
		puts("grants      none: nobody may sign with it "
		     "(holdfast key grant)");
}

int
cli_get_key(
    struct cli *cli, const char *name, Holdfast__Keyd__V1__Key **ret_key)
{
	Holdfast__Keyd__V1__GetKeyRequest request;
	ProtobufCMessage *reply = NULL;
	struct key_id id;
	char label[64];
	int rc;

	holdfast__keyd__v1__get_key_request__init(&request);
	if (key_id_parse(name, &id)) {
		request.id = (ProtobufCBinaryData){ KEY_ID_LEN, id.at };
	} else if (strlen(name) >= sizeof(label)) {
		return cli_fail(EXIT_USAGE,
		    "a key is named by its label (at most 63 characters) or "
		    "its 64-digit id");
	} else {
		snprintf(label, sizeof(label), "%s", name);
		request.label = label;
	}
	rc = cli_call(cli, KEYS, "Get", &request.base, &reply);
	if (rc == 0)
		*ret_key = (Holdfast__Keyd__V1__Key *)reply;
	return rc;
}

/* One page into the table or the array; the next page's token out. */
static void
add_page(const Holdfast__Keyd__V1__ListKeysResponse *page, struct table *table,
    json_t *array)
{
	for (size_t i = 0; i < page->n_keys; i++) {
		char id[KEY_ID_TEXT_MAX], age[AGE_TEXT_MAX];

		id_text(&page->keys[i]->id, id);
		cli_age(page->keys[i]->created_s, age);
		table_add(table, (const char *const[]){ page->keys[i]->label,
				     alg_text(page->keys[i]),
				     page->keys[i]->pool, age, id });
		json_array_append_new(array, key_json(page->keys[i]));
	}
}

int
cli_key_list(struct cli *cli, int argc, char **argv)
{
	struct table *table;
	json_t *array;
	char token[256] = "";
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "key list"))
		return EXIT_USAGE;
	table = table_new((const char *const[]){
	    "LABEL", "ALGORITHM", "POOL", "CREATED", "ID", NULL });
	array = json_array();
	do {
		Holdfast__Keyd__V1__ListKeysRequest request;
		ProtobufCMessage *reply = NULL;
		Holdfast__Keyd__V1__ListKeysResponse *page;

		holdfast__keyd__v1__list_keys_request__init(&request);
		request.page_size = PAGE;
		request.page_token = token;
		rc = cli_call(cli, KEYS, "List", &request.base, &reply);
		if (rc != 0)
			break;
		page = (Holdfast__Keyd__V1__ListKeysResponse *)reply;
		add_page(page, table, array);
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		protobuf_c_message_free_unpacked(reply, NULL);
	} while (token[0] != '\0');
	if (rc == 0 && cli->json) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (rc == 0 && json_array_size(array) == 0) {
		puts("no keys yet; make one: holdfast key generate LABEL");
	} else if (rc == 0) {
		table_print(table);
	}
	table_free(table);
	json_decref(array);
	return rc;
}

int
cli_key_show(struct cli *cli, int argc, char **argv)
{
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "key show KEY"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc == 0)
		cli_print_key(cli, key);
	return rc;
}

#define CONTEXTS_MAX 8

/* "tls" stands for both server contexts. */
static bool
parse_contexts(
    int argc, char **argv, Holdfast__Keyd__V1__Context *contexts, size_t *ret_n)
{
	size_t n = 0;

	for (int i = 0; i < argc && n + 2 <= CONTEXTS_MAX; i++) {
		enum sign_context context = sign_context_parse(argv[i]);

		if (strcmp(argv[i], "tls") == 0) {
			contexts[n++] =
			    (Holdfast__Keyd__V1__Context)CONTEXT_TLS13_SERVER;
			context = CONTEXT_TLS12_SERVER_ECDHE;
		}
		if (context == CONTEXT_NONE) {
			cli_fail(EXIT_USAGE,
			    "\"%s\" is not a context: tls, tls13_server, "
			    "tls12_server_ecdhe, csr or raw",
			    argv[i]);
			return false;
		}
		contexts[n++] = (Holdfast__Keyd__V1__Context)context;
	}
	*ret_n = n;
	return true;
}

static int
change_grant(struct cli *cli, int argc, char **argv, bool is_grant)
{
	Holdfast__Keyd__V1__GrantRequest grant;
	Holdfast__Keyd__V1__RevokeRequest revoke;
	Holdfast__Keyd__V1__Context contexts[CONTEXTS_MAX];
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	ProtobufCMessage *reply = NULL;
	size_t n = 0;
	int rc;

	holdfast__keyd__v1__revoke_request__init(&revoke);
	holdfast__keyd__v1__grant_request__init(&grant);
	if (!cli_rest(argc, argv, is_grant ? 3 : 2, CONTEXTS_MAX,
		is_grant ? "key grant KEY IDENTITY CONTEXT..."
			 : "key revoke KEY IDENTITY [CONTEXT...]") ||
	    !parse_contexts(argc - 2, argv + 2, contexts, &n))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	grant.key_id = revoke.key_id = key->id;
	grant.identity = revoke.identity = argv[1];
	grant.contexts = revoke.contexts = contexts;
	grant.n_contexts = revoke.n_contexts = n;
	rc = is_grant ? cli_call(cli, KEYS, "Grant", &grant.base, &reply)
		      : cli_call(cli, KEYS, "Revoke", &revoke.base, &reply);
	if (rc != 0)
		return rc;
	cli_print_key(cli, (Holdfast__Keyd__V1__Key *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

int
cli_key_grant(struct cli *cli, int argc, char **argv)
{
	return change_grant(cli, argc, argv, true);
}

int
cli_key_revoke(struct cli *cli, int argc, char **argv)
{
	return change_grant(cli, argc, argv, false);
}

int
cli_write_file(const char *path, const char *text)
{
	FILE *file;
	bool wrote;

	if (path == NULL || strcmp(path, "-") == 0) {
		fputs(text, stdout);
		return EXIT_DONE;
	}
	file = fopen(path, "w");
	if (file == NULL)
		return cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	wrote = fputs(text, file) >= 0;
	if (fclose(file) != 0 || !wrote)
		return cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	return EXIT_DONE;
}

int
cli_key_stub(struct cli *cli, int argc, char **argv)
{
	const char *path = cli_option(&argc, argv, "-o");
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	char pem[STUB_PEM_MAX];
	struct status st;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "key stub KEY [-o FILE]"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	st = stub_encode_pem(
	    (struct bytes){ key->spki.data, key->spki.len }, pem);
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", st.why);
	if (cli->json) {
		json_t *json = json_pack("{s:s}", "stub", pem);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return EXIT_DONE;
	}
	return cli_write_file(path, pem);
}
