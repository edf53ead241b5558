/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key: look at keys and hand out the public stub.  A key is named by
 * its label or by its 64-digit id.
 */

#include "tools/key.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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

static const char *
state_text(Holdfast__Keyd__V1__KeyState state)
{
	switch (state) {
	case HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE:
		return "active";
	case HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SUSPENDED:
		return "suspended";
	case HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED:
		return "scheduled";
	case HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_DESTROYED:
		return "destroyed";
	default:
		return "?";
	}
}

static const char *
origin_text(Holdfast__Keyd__V1__KeyOrigin origin)
{
	switch (origin) {
	case HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED:
		return "generated";
	case HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED:
		return "imported-wrapped";
	case HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_CERTD:
		return "imported-certd";
	default:
		return "?";
	}
}

static json_t *
grant_json(const Holdfast__Keyd__V1__KeyGrant *grant)
{
	json_t *contexts = json_array(), *json;

	for (size_t j = 0; j < grant->n_contexts; j++) {
		const char *name =
		    sign_context_name((enum sign_context)grant->contexts[j]);

		json_array_append_new(
		    contexts, json_string(name == NULL ? "?" : name));
	}
	json = json_pack(
	    "{s:s, s:o}", "identity", grant->identity, "contexts", contexts);
	if (json == NULL)
		return json_null();
	if (grant->budget != NULL && grant->budget->rate_per_s != 0)
		json_object_set_new(json, "budget",
		    json_pack("{s:I, s:I}", "rate_per_s",
			(json_int_t)grant->budget->rate_per_s, "burst",
			(json_int_t)grant->budget->burst));
	if (grant->beyond_group)
		json_object_set_new(json, "beyond_group", json_true());
	if (grant->key_group[0] != 0)
		json_object_set_new(
		    json, "key_group", json_string(grant->key_group));
	return json;
}

/* What of a key's life there is to tell. */
static void
add_life(json_t *json, const Holdfast__Keyd__V1__Key *key)
{
	json_object_set_new(json, "state", json_string(state_text(key->state)));
	json_object_set_new(json, "state_s", json_integer(key->state_s));
	if (key->destroy_at_s != 0)
		json_object_set_new(
		    json, "destroy_at_s", json_integer(key->destroy_at_s));
	json_object_set_new(
	    json, "origin", json_string(origin_text(key->origin)));
	json_object_set_new(json, "wrapped", json_boolean(key->wrapped));
	json_object_set_new(
	    json, "replaceable", json_boolean(key->replaceable));
	json_object_set_new(json, "group", json_string(key->group));
	json_object_set_new(json, "owner", json_string(key->owner));
	json_object_set_new(json, "notes", json_string(key->notes));
}

static json_t *
key_json(const Holdfast__Keyd__V1__Key *key)
{
	char id[KEY_ID_TEXT_MAX];
	json_t *grants = json_array();
	json_t *json;

	id_text(&key->id, id);
	for (size_t i = 0; i < key->n_grants; i++)
		json_array_append_new(grants, grant_json(key->grants[i]));
	if (key->id.len == 0)
		return json_pack("{s:o}", "grants", grants);
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
	if (json != NULL)
		add_life(json, key);
	return json;
}

/* "edge/fra-1 may tls13_server, 50/s burst 100, beyond its pool's groups" */
static void
print_grants(const Holdfast__Keyd__V1__Key *key)
{
	char contexts[256];

	for (size_t i = 0; i < key->n_grants; i++) {
		const Holdfast__Keyd__V1__KeyGrant *grant = key->grants[i];

		contexts_text(grant, contexts, sizeof(contexts));
		printf("%s%s may %s", i == 0 ? "grants      " : "            ",
		    grant->identity, contexts);
		if (grant->budget != NULL && grant->budget->rate_per_s != 0)
			printf(", %" PRIu32 "/s burst %" PRIu32,
			    grant->budget->rate_per_s, grant->budget->burst);
		if (grant->beyond_group)
			printf(", beyond the pool's edge groups");
		if (grant->key_group[0] != 0)
			printf(", by group %s", grant->key_group);
		putchar('\n');
	}
	if (key->n_grants == 0)
		puts("grants      none: nobody may sign with it "
		     "(holdfast key grant)");
}

static void
print_life(const Holdfast__Keyd__V1__Key *key)
{
	char age[AGE_TEXT_MAX];

	cli_age(key->state_s, age);
	printf("state       %s since %s\n", state_text(key->state), age);
	if (key->state == HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED) {
		/* Due, or begun already (1). */
		bool is_due = key->destroy_at_s <= clock_wall_s();

		cli_age(key->destroy_at_s, age);
		printf("destroyed   %s%s%s\n",
		    is_due ? "as soon as the token lets it; too late to stop"
			   : age,
		    is_due ? "" : "; stop it: holdfast key cancel-destruction ",
		    is_due ? "" : key->label);
	}
	if (key->replaceable)
		puts("replaceable certd, which makes its successor, ends it "
		     "without approval");
	if (key->wrapped)
		puts("kept        outside the token, wrapped under its key "
		     "encryption key");
	if (key->group[0] != 0)
		printf("group       %s\n", key->group);
	if (key->owner[0] != 0)
		printf("owner       %s\n", key->owner);
	if (key->notes[0] != 0)
		printf("notes       %s\n", key->notes);
}

static void
print_attributes(const Holdfast__Keyd__V1__TokenAttributes *a)
{
	printf("the token   %s, %s, %s\n",
	    a->sensitive ? "sensitive" : "NOT SENSITIVE",
	    a->never_extractable ? "never extractable"
	    : a->extractable     ? "EXTRACTABLE"
				 : "not extractable",
	    a->local ? "made inside" : "imported");
}

void
cli_print_key(const struct cli *cli, const Holdfast__Keyd__V1__Key *key)
{
	char id[KEY_ID_TEXT_MAX], age[AGE_TEXT_MAX];

	if (cli->json) {
		json_t *json = key_json(key);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	/* Of a key group there are only its grants to show. */
	if (key->id.len != 0) {
		id_text(&key->id, id);
		cli_age(key->created_s, age);
		printf("label       %s\nid          %s\nalgorithm   %s\n"
		       "pool        %s\ncreated     %s by %s (%s)\n",
		    key->label, id, alg_text(key), key->pool, age,
		    key->created_by, origin_text(key->origin));
		if (key->attributes != NULL)
			print_attributes(key->attributes);
		print_life(key);
	}
	print_grants(key);
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

/* "destroyed in 6 d" says more than "scheduled". */
static void
state_and_time(const Holdfast__Keyd__V1__Key *key, char *ret_text, size_t max)
{
	char age[AGE_TEXT_MAX] = "now";

	if (key->state != HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED) {
		snprintf(ret_text, max, "%s", state_text(key->state));
		return;
	}
	if (key->destroy_at_s > clock_wall_s())
		cli_age(key->destroy_at_s, age);
	snprintf(ret_text, max, "destroyed %s", age);
}

/* One page into the table or the array; the next page's token out. */
static void
add_page(const Holdfast__Keyd__V1__ListKeysResponse *page, struct table *table,
    json_t *array)
{
	for (size_t i = 0; i < page->n_keys; i++) {
		const Holdfast__Keyd__V1__Key *key = page->keys[i];
		char id[KEY_ID_TEXT_MAX], age[AGE_TEXT_MAX];
		char state[AGE_TEXT_MAX + 16];

		state_and_time(key, state, sizeof(state));
		id_text(&key->id, id);
		cli_age(key->created_s, age);
		table_add(table,
		    (const char *const[]){ key->label, alg_text(key), key->pool,
			state, key->group, key->owner, age, id });
		json_array_append_new(array, key_json(key));
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
	table = table_new((const char *const[]){ "LABEL", "ALGORITHM", "POOL",
	    "STATE", "GROUP", "OWNER", "CREATED", "ID", NULL });
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
