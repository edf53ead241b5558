/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Diagnoses.  Operators may ask about any name, tokens about names
 * of their account's resources and about those that no resource has: about
 * another account's nothing is told, not even what the DNS says.  A report is
 * seen by whose it is.
 */

#include "certd/diagnoses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "certd/check_facts.h"
#include "certd/page.h"
#include "certd/store_diagnoses.h"
#include "certd/store_resources.h"
#include "pki/hostname.h"
#include "proto/message.h"

struct diagnoses {
	struct diagnoses_config config;
	pthread_mutex_t mutex; /* guards running */
	/* Whose; 0: who sees all.  The first n_running. */
	int64_t running[DIAGNOSES_AT_ONCE];
	size_t n_running;
};

typedef Holdfast__Certd__V1__RunDiagnosisRequest run_msg;
typedef Holdfast__Certd__V1__ListDiagnosesRequest list_msg;
typedef Holdfast__Certd__V1__Diagnosis diagnosis_msg;

/* ---- Run ---- */

static struct status
take_hostname(struct api_call *call, const char *hostname, struct names *names)
{
	char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";
	struct status st = hostname_normalize(hostname, name, why);

	if (failed(st))
		return api_explain(call, st, "%s", why);
	return names_add(names, name) ? st : message_no_memory();
}

static struct status
of_hostname(struct db_tx *tx, struct api_call *call, const char *hostname,
    struct names *names, struct checks_subject *subject)
{
	struct resource_row row;
	int64_t id = 0;
	struct status st = take_hostname(call, hostname, names);

	if (failed(st))
		return st;
	subject->account = call->caller->account;
	st = check_facts_holder(tx, names->at[0], &id);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = store_resources_load(tx, id, &row);
	if (failed(st))
		return st;
	if (!caller_sees(call->caller, row.account))
		return api_explain(call,
		    status_fail(STATUS_PERMISSION_DENIED,
			"the host name is of a resource of another account"),
		    "%s belongs to a resource that is not of this account; if "
		    "the name is yours, ask the operator",
		    names->at[0]);
	subject->account = row.account;
	subject->resource = row.id;
	return st;
}

static struct status
of_resource(struct db_tx *tx, struct api_call *call, int64_t id,
    struct names *names, struct checks_subject *subject)
{
	struct resource_row row;
	struct status st = store_resources_find(tx, call->caller, id, &row);

	if (!failed(st))
		st = store_resources_names(tx, row.id, names);
	if (failed(st))
		return st;
	subject->account = row.account;
	subject->resource = row.id;
	return st;
}

static struct status
take_subject(struct diagnoses *diagnoses, struct api_call *call,
    const run_msg *asked, struct names *names, struct checks_subject *subject)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if ((asked->hostname[0] != 0) == (asked->resource != 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name a hostname or a resource, one of the two");
	st = store_read(diagnoses->config.store, &tx);
	if (failed(st))
		return st;
	return asked->hostname[0] != 0
		   ? of_hostname(tx, call, asked->hostname, names, subject)
		   : of_resource(tx, call, asked->resource, names, subject);
}

/* Each reaches out for many seconds: an account leaves others theirs. */
static struct status
begin(struct diagnoses *diagnoses, int64_t account)
{
	struct status st = status_ok();
	size_t n = 0;

	pthread_mutex_lock(&diagnoses->mutex);
	for (size_t i = 0; i < diagnoses->n_running; i++)
		n += diagnoses->running[i] == account;
	if (diagnoses->n_running == DIAGNOSES_AT_ONCE)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "as many diagnoses as may run at once are running; ask "
		    "again in some seconds");
	else if (account != 0 && n == DIAGNOSES_OF_ACCOUNT)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "as many diagnoses as an account may run at once are "
		    "running; ask again in some seconds");
	else
		diagnoses->running[diagnoses->n_running++] = account;
	pthread_mutex_unlock(&diagnoses->mutex);
	return st;
}

static void
end(struct diagnoses *diagnoses, int64_t account)
{
	size_t i = 0;

	pthread_mutex_lock(&diagnoses->mutex);
	while (diagnoses->running[i] != account)
		i++;
	diagnoses->running[i] = diagnoses->running[--diagnoses->n_running];
	pthread_mutex_unlock(&diagnoses->mutex);
}

static struct status
look(struct diagnoses *diagnoses, const struct caller *caller,
    const struct checks_subject *subject, ProtobufCMessage **ret_reply)
{
	diagnosis_msg *report = NULL;
	struct status st = begin(diagnoses, caller->account);

	if (failed(st))
		return st;
	st = checks_run(diagnoses->config.checks, subject, &report);
	end(diagnoses, caller->account);
	if (!failed(st))
		*ret_reply = &report->base;
	return st;
}

static struct status
run(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct diagnoses *diagnoses = ctx;
	scoped(names_done) struct names names = { 0 };
	struct checks_subject subject = { .names = &names, .ca_domain = "" };
	struct status st = take_subject(
	    diagnoses, call, (const run_msg *)request, &names, &subject);

	return failed(st) ? st
			  : look(diagnoses, call->caller, &subject, ret_reply);
}

/* ---- Get, List ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct diagnoses *diagnoses = ctx;
	const Holdfast__Certd__V1__GetDiagnosisRequest *asked =
	    (const Holdfast__Certd__V1__GetDiagnosisRequest *)request;
	scoped(db_end) struct db_tx *tx = NULL;
	diagnosis_msg *report = NULL;
	struct status st = store_read(diagnoses->config.store, &tx);

	if (!failed(st))
		st = store_diagnoses_find(tx, call->caller, asked->id, &report);
	if (!failed(st))
		*ret_reply = &report->base;
	return st;
}

struct listing {
	Holdfast__Certd__V1__ListDiagnosesResponse *reply;
	int64_t last;
};

static bool
add(void *ctx, const struct diagnosis_row *row)
{
	struct listing *listing = ctx;
	diagnosis_msg *to = message_append(&listing->reply->n_diagnoses,
	    &listing->reply->diagnoses,
	    &holdfast__certd__v1__diagnosis__descriptor);

	if (to == NULL)
		return false;
	listing->last = row->id;
	to->id = row->id;
	to->resource = row->resource;
	to->change = row->change;
	to->at_s = row->at_s;
	to->took_ms = row->took_ms;
	to->passed = row->passed;
	return message_text(&to->account, row->account_name) &&
	       message_text(&to->hostname, row->hostname) &&
	       message_text(&to->summary, row->summary);
}

static struct status
list_page(struct db_tx *tx, struct api_call *call, const list_msg *asked,
    Holdfast__Certd__V1__ListDiagnosesResponse *reply)
{
	struct listing listing = { reply, 0 };
	char name[HOSTNAME_MAX] = "", why[HOSTNAME_WHY_MAX] = "";
	bool more = false;
	struct page page;
	struct status st = page_find(tx, call->caller,
	    &(struct page_ask){
		asked->account, asked->page_token, asked->page_size },
	    &page);

	if (!failed(st) && asked->hostname[0] != 0) {
		st = hostname_normalize(asked->hostname, name, why);
		if (failed(st))
			return api_explain(call, st, "%s", why);
	}
	if (!failed(st))
		st = store_diagnoses_list(tx,
		    &(struct store_diagnoses_query){ .account = page.account,
			.resource = asked->resource,
			.hostname = name,
			.from = page.from,
			.size = page.size },
		    add, &listing, &more);
	return failed(st)
		   ? st
		   : page_next(listing.last, more, &reply->next_page_token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct diagnoses *diagnoses = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_diagnoses_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(diagnoses->config.store, &tx);
	if (!failed(st))
		st = list_page(tx, call, (const list_msg *)request,
		    (Holdfast__Certd__V1__ListDiagnosesResponse *)(void *)
			reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define DIAGNOSES (&holdfast__certd__v1__diagnoses__descriptor)
#define PATH "/v1/diagnoses"

static const struct api_method METHODS[] = {
	{ DIAGNOSES, "Run", run, ALLOW_CHANGE, SCOPE_RESOURCES_WRITE, API_POST,
	    PATH, .creates = true,
	    .summary = "Look what is wrong with a host name, from its DNS to "
		       "what every edge serves" },
	{ DIAGNOSES, "List", list, ALLOW_READ, SCOPE_RESOURCES_READ, API_GET,
	    PATH, .summary = "List what was looked at before" },
	{ DIAGNOSES, "Get", get, ALLOW_READ, SCOPE_RESOURCES_READ, API_GET,
	    PATH "/{id}", .summary = "One diagnosis with its findings" },
};

STATUS
diagnoses_new(
    const struct diagnoses_config *config, struct diagnoses **ret_diagnoses)
{
	struct diagnoses *diagnoses = calloc(1, sizeof(*diagnoses));

	if (diagnoses == NULL)
		return message_no_memory();
	diagnoses->config = *config;
	pthread_mutex_init(&diagnoses->mutex, NULL);
	*ret_diagnoses = diagnoses;
	return status_ok();
}

STATUS
diagnoses_register(struct diagnoses *diagnoses, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), diagnoses);
}

void
diagnoses_free(struct diagnoses *diagnoses)
{
	if (diagnoses == NULL)
		return;
	pthread_mutex_destroy(&diagnoses->mutex);
	free(diagnoses);
}
