/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key dossier, and holdfast audit verify --dossier: what a dossier
 * says, for people, and whether it holds (audit_dossier.c).
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "tools/audit_proof.h"
#include "tools/key.h"

#define DOSSIER_MAX CLI_MESSAGE_MAX

static bool
is_fit(const char *text)
{
	struct bytes rest = bytes_of(text);

	while (rest.len > 0) {
		uint32_t point = 0;
		size_t n = printable_take(rest, &point);

		if (n == 0 || !printable_point(point))
			return false;
		rest.at += n;
		rest.len -= n;
	}
	return true;
}

/* keyd has escaped what others wrote; what is not escaped is not shown. */
static const char *
text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (text == NULL)
		return "";
	return is_fit(text) ? text : "(a text that is not fit to be shown)";
}

static json_int_t
number_at(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

/* ---- for people ---- */

static void
print_field(const char *name, const json_t *json, const char *key)
{
	struct bytes text = bytes_of(text_at(json, key));

	if (text.len > 0)
		printf("%-13s %s\n", name, (const char *)text.at);
}

static const char *
yes(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key)) ? "yes" : "no";
}

static void
print_attributes(const char *name, const json_t *attributes)
{
	if (!json_is_object(attributes))
		return;
	if (json_object_get(attributes, "not_asked") != NULL) {
		printf("%-13s %s\n", name, text_at(attributes, "not_asked"));
		return;
	}
	printf("%-13s sensitive %s, extractable %s, never extractable %s, "
	       "made inside %s\n",
	    name, yes(attributes, "sensitive"), yes(attributes, "extractable"),
	    yes(attributes, "never_extractable"), yes(attributes, "local"));
}

static void
print_use(const json_t *dossier)
{
	const json_t *use = json_object_get(dossier, "use");

	for (size_t i = 0; i < json_array_size(use); i++) {
		const json_t *one = json_array_get(use, i);

		printf("%-13s %s %s: %" JSON_INTEGER_FORMAT
		       " signatures, %" JSON_INTEGER_FORMAT
		       " refusals, %.19s to %.19s\n",
		    i == 0 ? "used by" : "", text_at(one, "peer"),
		    text_at(one, "context"), number_at(one, "signatures"),
		    number_at(one, "refusals"), text_at(one, "first"),
		    text_at(one, "last"));
	}
	if (json_array_size(use) == 0)
		puts("used by       nobody yet");
}

static void
dossier_print(const json_t *dossier)
{
	const json_t *key = json_object_get(dossier, "key");
	const json_t *names = json_object_get(dossier, "certificate_names");

	print_field("key", key, "label");
	print_field("id", key, "id");
	print_field("algorithm", key, "algorithm");
	print_field("pool", key, "pool");
	print_field("state", key, "state");
	print_field("born", key, "birth");
	print_field("created", key, "created");
	print_field("created by", key, "created_by");
	print_field("owner", key, "owner");
	print_field("kept", key, "kept");
	print_attributes(
	    "at birth", json_object_get(dossier, "attributes_at_birth"));
	print_attributes(
	    "token says", json_object_get(dossier, "attributes_now"));
	printf("grants        %zu\napprovals     %zu\ncustody acts  %zu\n",
	    json_array_size(json_object_get(dossier, "grants")),
	    json_array_size(json_object_get(dossier, "approvals")),
	    json_array_size(json_object_get(dossier, "custody")));
	print_use(dossier);
	for (size_t i = 0; i < json_array_size(names) && i < 20; i++)
		printf("%-13s %s\n", i == 0 ? "CSR names" : "",
		    text_at(json_array_get(names, i), "name"));
	print_field("made", dossier, "made_at");
	print_field("by", dossier, "origin");
}

/* ---- the commands ---- */

static int
report_check(struct cli *cli, const char *path, const json_t *dossier,
    const struct dossier_result *result)
{
	if (cli->json) {
		audit_write_json(stdout,
		    json_pack("{s:b, s:s, s:s, s:I, s:I}", "holds", true,
			"origin", result->checkpoint.origin, "key",
			text_at(json_object_get(dossier, "key"), "id"),
			"custody_proven", (json_int_t)result->custody,
			"ledger_size", (json_int_t)result->checkpoint.size));
		return EXIT_DONE;
	}
	dossier_print(dossier);
	printf("\n%s holds:\n"
	       "  signed by the ledger key of %s\n"
	       "  its checkpoint of %" PRIu64 " entries is signed\n"
	       "  its key id is that of its public key\n"
	       "  %" PRIu64 " custody acts are in that ledger\n"
	       "not shown by a dossier alone: the counts and the token's "
	       "attributes are keyd's word;\na copy of the ledger shows every "
	       "entry (holdfast audit verify FOLDER)\n",
	    path, result->checkpoint.origin, result->checkpoint.size,
	    result->custody);
	return EXIT_DONE;
}

int
audit_verify_dossier(struct cli *cli, const char *path, const char *signature,
    const struct audit_keys *given)
{
	char own_signature[4096], origin[NOTE_NAME_MAX];
	scoped(free) char *octets = NULL;
	scoped(free) char *note = NULL;
	struct dossier_result result;
	struct audit_keys keys;
	size_t len, note_len;
	json_t *dossier;
	int rc;

	snprintf(own_signature, sizeof(own_signature), "%s.sig", path);
	if (signature == NULL)
		signature = own_signature;
	if (!audit_read_file(path, DOSSIER_MAX, &octets, &len) ||
	    !audit_read_file(signature, NOTE_MAX, &note, &note_len))
		return EXIT_REFUSED;
	dossier = json_loadb(octets, len, JSON_REJECT_DUPLICATES, NULL);
	if (dossier == NULL || !dossier_origin(dossier, origin))
		rc = audit_print_altered(cli, path, "this is no dossier");
	else if (!audit_trusted_keys(cli, origin, given, &keys))
		rc = EXIT_REFUSED;
	else if (!dossier_check((struct bytes){ (uint8_t *)octets, len },
		     dossier, (struct bytes){ (uint8_t *)note, note_len },
		     &keys, &result))
		rc = audit_print_altered(cli, path, result.what);
	else
		rc = report_check(cli, path, dossier, &result);
	json_decref(dossier);
	return rc;
}

static int
write_dossier(struct cli *cli, const char *path,
    const Holdfast__Keyd__V1__DossierResponse *answer)
{
	struct bytes octets = { answer->dossier.data, answer->dossier.len };
	char signature[4096];
	json_t *dossier;

	if (snprintf(signature, sizeof(signature), "%s.sig", path) >=
	    (int)sizeof(signature))
		return cli_fail(EXIT_USAGE, "the file's name is too long");
	if (!audit_write_file(path, octets) ||
	    !audit_write_file(signature, (struct bytes){ answer->signature.data,
					     answer->signature.len }))
		return EXIT_REFUSED;
	dossier = json_loadb(
	    (const char *)octets.at, octets.len, JSON_REJECT_DUPLICATES, NULL);
	if (dossier == NULL)
		return cli_fail(EXIT_REFUSED, "%s: keyd sent no JSON", path);
	if (cli->json)
		audit_write_json(stdout, json_pack("{s:s, s:s}", "dossier",
					     path, "signature", signature));
	else {
		dossier_print(dossier);
		printf("\n%s and %s written; whoever has the ledger's key "
		       "checks them with\n  holdfast audit verify --dossier "
		       "%s --key VKEY\n",
		    path, signature, path);
	}
	json_decref(dossier);
	return EXIT_DONE;
}

/* keyd reads the whole ledger for it. */
#define DOSSIER_TIMEOUT_MS (10 * 60 * 1000)

int
cli_key_dossier(struct cli *cli, int argc, char **argv)
{
	const char *path = cli_option(&argc, argv, "-o");
	Holdfast__Keyd__V1__DossierRequest request;
	Holdfast__Keyd__V1__Key *key = NULL;
	ProtobufCMessage *reply = NULL;
	char own_path[128];
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "key dossier KEY [-o FILE]"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	/* A label is fit for a file's name. */
	snprintf(own_path, sizeof(own_path), "%.64s.dossier.json", key->label);
	if (path == NULL)
		path = own_path;
	holdfast__keyd__v1__dossier_request__init(&request);
	request.key_id = key->id;
	if (cli->timeout_ms < DOSSIER_TIMEOUT_MS)
		cli->timeout_ms = DOSSIER_TIMEOUT_MS;
	rc = cli_call(cli, &holdfast__keyd__v1__keys__descriptor, "Dossier",
	    &request.base, &reply);
	protobuf_c_message_free_unpacked(&key->base, NULL);
	if (rc != 0)
		return rc;
	rc = write_dossier(
	    cli, path, (const Holdfast__Keyd__V1__DossierResponse *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return rc;
}
