/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What there is to choose from, by name.  An account is told of what it may
 * use: DNS providers that serve it (certd/provider_access.h), CAs for
 * certificates in use, every network.  Addresses, zones, keys, who else is
 * served, and why a CA is not well are for operators, who have other ways to
 * see them; so the answer to them has no more fields.
 */

#include "certd/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/provider_access.h"
#include "certd/store_accounts.h"
#include "proto/holdfast/certd/v1/choices.pb-c.h"
#include "proto/message.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

typedef Holdfast__Certd__V1__GetChoicesResponse choices_msg;
typedef Holdfast__Certd__V1__ValidationKind validation_kind;
typedef Holdfast__Keyd__V1__KeyAlgorithm key_algorithm;

static const validation_kind VALIDATIONS[] = {
	HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_HTTP_01,
	HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_DNS_01,
	HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_DNS_01_BY_HAND,
	HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_DNS_PERSIST_01,
};
/* Ed25519 is none of them. */
static const key_algorithm ALGORITHMS[] = {
	HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256,
	HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P384,
	HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_RSA_2048,
	HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_RSA_3072,
	HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_RSA_4096,
};
static const Holdfast__Certd__V1__DnsProviderKind KINDS[] = {
	[CONFIG_DNS_RFC2136] =
	    HOLDFAST__CERTD__V1__DNS_PROVIDER_KIND__DNS_PROVIDER_KIND_RFC2136,
	[CONFIG_DNS_ACME_DNS] =
	    HOLDFAST__CERTD__V1__DNS_PROVIDER_KIND__DNS_PROVIDER_KIND_ACME_DNS,
	[CONFIG_DNS_EXEC] =
	    HOLDFAST__CERTD__V1__DNS_PROVIDER_KIND__DNS_PROVIDER_KIND_EXEC,
};

/* For whom, and what is put together. */
struct choosing {
	const struct config *config;
	bool sees_all;
	char account[ACCOUNT_NAME_MAX]; /* "" for who sees all */
	choices_msg *to;
};

/* ---- networks ---- */

static bool
add_network(choices_msg *to, const struct network *network)
{
	Holdfast__Certd__V1__NetworkChoice *one =
	    message_append(&to->n_networks, &to->networks,
		&holdfast__certd__v1__network_choice__descriptor);
	bool is_kept = one != NULL && message_text(&one->name, network->name);

	for (size_t i = 0;
	     is_kept && i < network->n_edge_groups && i < CHOICES_MAX; i++)
		is_kept = message_append_text(&one->n_edge_groups,
		    &one->edge_groups, network->edge_groups[i]);
	return is_kept;
}

static bool
add_networks(struct choosing *choosing)
{
	const struct networks *networks = &choosing->config->all_networks;

	for (size_t i = 0; i < networks->n && i < CHOICES_MAX; i++)
		if (!add_network(choosing->to, &networks->at[i]))
			return false;
	return true;
}

/* ---- authorities ---- */

static bool
add_authority(choices_msg *to, const struct config_authority *is,
    const struct authority_offer *offer)
{
	Holdfast__Certd__V1__AuthorityChoice *one =
	    message_append(&to->n_authorities, &to->authorities,
		&holdfast__certd__v1__authority_choice__descriptor);

	if (one == NULL || !message_text(&one->name, is->name) ||
	    !message_text(&one->default_profile, is->profile))
		return false;
	one->available = offer->is_available;
	one->profiles_known = offer->has_directory;
	for (size_t i = 0; i < offer->n_profiles; i++)
		if (!message_append_text(
			&one->n_profiles, &one->profiles, offer->profiles[i]))
			return false;
	return true;
}

static bool
add_authorities(struct choosing *choosing, struct authorities *authorities)
{
	const size_t n = authorities_count(authorities);
	struct authority_offer offer;

	for (size_t i = 0; i < n && choosing->to->n_authorities < CHOICES_MAX;
	     i++) {
		const struct config_authority *is =
		    authorities_at(authorities, i);

		if (is->standby_only)
			continue;
		authorities_offer(authorities, i, &offer);
		if (!add_authority(choosing->to, is, &offer))
			return false;
	}
	choosing->to->standby = choosing->config->acme.standby[0] != 0;
	return true;
}

/* ---- DNS providers, and what they make possible ---- */

static bool
add_provider(
    struct choosing *choosing, const struct config_dns_provider *provider)
{
	const enum provider_access access =
	    provider_access_of(provider, choosing->account, choosing->sees_all);
	Holdfast__Certd__V1__DnsProviderChoice *one;
	char delegation[ACCOUNT_NAME_MAX + 256];

	if (access == PROVIDER_ACCESS_NONE)
		return true;
	one = message_append(&choosing->to->n_dns_providers,
	    &choosing->to->dns_providers,
	    &holdfast__certd__v1__dns_provider_choice__descriptor);
	if (one == NULL || !message_text(&one->name, provider->name))
		return false;
	one->kind = KINDS[provider->type];
	if (access == PROVIDER_ACCESS_ALL)
		return true;
	(void)!snprintf(delegation, sizeof(delegation), "%s.%s",
	    choosing->account, provider->delegation_zone);
	return message_text(&one->delegation, delegation);
}

static bool
add_providers(struct choosing *choosing)
{
	const struct config_dns_provider *at =
	    choosing->config->dns.providers.at;
	const size_t n = choosing->config->dns.providers.len;

	for (size_t i = 0; i < n && choosing->to->n_dns_providers < CHOICES_MAX;
	     i++)
		if (!add_provider(choosing, &at[i]))
			return false;
	return true;
}

/* As enrollment_fields_check would have it. */
static bool
may_validate(const struct choosing *choosing, validation_kind kind)
{
	if (kind ==
	    HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_DNS_01)
		return choosing->to->n_dns_providers > 0;
	return kind !=
		   HOLDFAST__CERTD__V1__VALIDATION_KIND__VALIDATION_KIND_DNS_PERSIST_01 ||
	       choosing->sees_all;
}

static bool
add_kinds(struct choosing *choosing)
{
	choices_msg *to = choosing->to;

	to->validations = calloc(LEN(VALIDATIONS), sizeof(VALIDATIONS[0]));
	to->algorithms = calloc(LEN(ALGORITHMS), sizeof(ALGORITHMS[0]));
	if (to->validations == NULL || to->algorithms == NULL)
		return false;
	for (size_t i = 0; i < LEN(VALIDATIONS); i++)
		if (may_validate(choosing, VALIDATIONS[i]))
			to->validations[to->n_validations++] = VALIDATIONS[i];
	memcpy(to->algorithms, ALGORITHMS, sizeof(ALGORITHMS));
	to->n_algorithms = LEN(ALGORITHMS);
	return true;
}

/* ---- the method ---- */

static struct status
look_at_account(
    struct store *store, int64_t account, char ret_name[ACCOUNT_NAME_MAX])
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_account row;
	struct status st = store_read(store, &tx);

	if (!failed(st))
		st = store_accounts_get(tx, account, &row);
	if (!failed(st))
		(void)!snprintf(ret_name, ACCOUNT_NAME_MAX, "%s", row.name);
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct choices_config *with = ctx;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__get_choices_response__descriptor);
	struct choosing choosing = { .config = with->config,
		.sees_all = caller_sees_all(call->caller),
		.to = (choices_msg *)message };
	struct status st = status_ok();

	(void)request;
	if (!choosing.sees_all)
		st = look_at_account(
		    with->store, call->caller->account, choosing.account);
	if (failed(st))
		return st;
	if (message == NULL || !add_networks(&choosing) ||
	    !add_authorities(&choosing, with->authorities) ||
	    !add_providers(&choosing) || !add_kinds(&choosing))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

static const struct api_method METHODS[] = {
	{ .service = &holdfast__certd__v1__choices__descriptor,
	    .name = "Get",
	    .fn = get,
	    .allow = ALLOW_READ,
	    .scope = SCOPE_CERTIFICATES_READ | SCOPE_RESOURCES_READ,
	    .verb = API_GET,
	    .path = "/v1/choices",
	    .summary = "Networks, CAs and DNS providers that may be named" },
};

STATUS
choices_register(struct choices_config *config, struct api *api)
{
	return api_add(api, METHODS, LEN(METHODS), config);
}
