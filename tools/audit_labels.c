/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys by label, and labels of keys.  Of the keys that entries name the first
 * are asked for one by one, for most readings meet few; who meets many has them
 * all listed.
 */

#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tools/audit.h"
#include "tools/key.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define BUCKETS 4096
#define ASKED_MAX 64
#define PAGE 1000

struct known {
	struct known *next;
	struct key_id id;
	char label[64]; /* "": keyd knows no such key */
};

struct audit_labels {
	struct cli *cli;
	unsigned asked;
	bool is_listed;
	struct known *at[BUCKETS];
};

/* Ids are hashes already. */
static struct known **
bucket(struct audit_labels *labels, const uint8_t id[KEY_ID_LEN])
{
	return &labels->at[(size_t)(id[0] << 8 | id[1]) % BUCKETS];
}

static struct known *
find(struct audit_labels *labels, const struct key_id *id)
{
	struct known *known = *bucket(labels, id->at);

	while (known != NULL && !key_id_equal(&known->id, id))
		known = known->next;
	return known;
}

static struct known *
add(struct audit_labels *labels, const uint8_t id[KEY_ID_LEN],
    const char *label)
{
	struct known **at = bucket(labels, id);
	struct known *known = calloc(1, sizeof(*known));

	if (known == NULL)
		abort();
	memcpy(known->id.at, id, KEY_ID_LEN);
	snprintf(known->label, sizeof(known->label), "%s", label);
	known->next = *at;
	*at = known;
	return known;
}

static struct known *
ask(struct audit_labels *labels, const struct key_id *id)
{
	Holdfast__Keyd__V1__GetKeyRequest request;
	struct cli *cli = labels->cli;
	char why[RPC_WHY_MAX];
	uint8_t octets[KEY_ID_LEN];
	ProtobufCMessage *reply = NULL;
	struct known *known;
	struct status st;

	holdfast__keyd__v1__get_key_request__init(&request);
	memcpy(octets, id->at, KEY_ID_LEN);
	request.id = (ProtobufCBinaryData){ KEY_ID_LEN, octets };
	/* Keys that are gone, and keyd's own, have no label to show. */
	st = rpc_client_call(cli->client, KEYS, "Get", &request.base,
	    cli->timeout_ms, &reply, why);
	known = add(labels, id->at,
	    failed(st) ? "" : ((Holdfast__Keyd__V1__Key *)reply)->label);
	if (!failed(st))
		protobuf_c_message_free_unpacked(reply, NULL);
	return known;
}

static void
list_all(struct audit_labels *labels)
{
	struct cli *cli = labels->cli;
	char why[RPC_WHY_MAX], token[256] = "";

	labels->is_listed = true;
	do {
		Holdfast__Keyd__V1__ListKeysRequest request;
		const Holdfast__Keyd__V1__ListKeysResponse *page;
		ProtobufCMessage *reply = NULL;

		holdfast__keyd__v1__list_keys_request__init(&request);
		request.page_size = PAGE;
		request.page_token = token;
		if (failed(rpc_client_call(cli->client, KEYS, "List",
			&request.base, cli->timeout_ms, &reply, why)))
			return;
		page = (const Holdfast__Keyd__V1__ListKeysResponse *)reply;
		for (size_t i = 0; i < page->n_keys; i++) {
			struct key_id id;

			if (page->keys[i]->id.len != KEY_ID_LEN)
				continue;
			memcpy(id.at, page->keys[i]->id.data, KEY_ID_LEN);
			if (find(labels, &id) == NULL)
				add(labels, id.at, page->keys[i]->label);
		}
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		protobuf_c_message_free_unpacked(reply, NULL);
	} while (token[0] != '\0');
}

const char *
audit_label(struct audit_labels *labels, const struct key_id *id)
{
	struct known *known = find(labels, id);

	if (known == NULL && labels->asked++ < ASKED_MAX)
		known = ask(labels, id);
	if (known == NULL && !labels->is_listed) {
		list_all(labels);
		known = find(labels, id);
	}
	if (known == NULL)
		known = add(labels, id->at, "");
	return known->label[0] == '\0' ? NULL : known->label;
}

struct audit_labels *
audit_labels_new(struct cli *cli)
{
	struct audit_labels *labels = calloc(1, sizeof(*labels));

	if (labels == NULL)
		abort();
	labels->cli = cli;
	return labels;
}

void
audit_labels_free(struct audit_labels *labels)
{
	if (labels == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (labels->at[i] != NULL) {
			struct known *next = labels->at[i]->next;

			free(labels->at[i]);
			labels->at[i] = next;
		}
	}
	free(labels);
}

int
audit_filter_resolve(struct cli *cli, struct audit_filter *filter)
{
	Holdfast__Keyd__V1__Key *key = NULL;
	int rc = 0;

	if (filter->key == NULL)
		return 0;
	/* An id needs no look-up: keyd may have no such key any more. */
	if (!key_id_parse(filter->key, &filter->entry.key)) {
		rc = cli_get_key(cli, filter->key, &key);
		if (rc == 0 && key->id.len == KEY_ID_LEN)
			memcpy(filter->entry.key.at, key->id.data, KEY_ID_LEN);
		else if (rc == 0)
			rc = cli_fail(EXIT_REFUSED, "keyd sent a key without "
						    "an id");
		if (key != NULL)
			protobuf_c_message_free_unpacked(&key->base, NULL);
	}
	filter->entry.has_key = rc == 0;
	return rc;
}
