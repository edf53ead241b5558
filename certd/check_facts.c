/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Facts that several checks look at; see check_facts.h.  The store is asked in
 * one transaction, which ends before the network is.  A change only needs to
 * know where names lead; a person is also shown what each resolver of
 * certd.yaml says, for they may differ while a change spreads.
 */

#include "certd/check_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/fan.h"
#include "certd/resource_fields.h"
#include "pki/hostname.h"
#include "proto/message.h"

/* ---- from the store ---- */

STATUS
check_facts_holder(struct db_tx *tx, const char *name, int64_t *ret_id)
{
	char wildcard[HOSTNAME_MAX + 1];
	struct status st = store_resources_holder(tx, name, ret_id);

	if (st.code != STATUS_NOT_FOUND || hostname_is_wildcard(name) ||
	    strchr(name, '.') == NULL)
		return st;
	(void)!snprintf(wildcard, sizeof(wildcard), "*%s", strchr(name, '.'));
	return store_resources_holder(tx, wildcard, ret_id);
}

static struct status
take_holder(struct db_tx *tx, struct check_run *run, struct check_host *host)
{
	struct resource_row row;
	int64_t id = 0;
	struct status st = check_facts_holder(tx, host->name, &id);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = store_resources_load(tx, id, &row);
	if (failed(st))
		return st;
	if (run->has_resource && id == run->resource.id)
		host->holder = CHECK_HOLDER_THIS;
	else if (run->subject->account == 0 ||
		 row.account == run->subject->account)
		host->holder = CHECK_HOLDER_OTHER;
	else
		host->holder = CHECK_HOLDER_FOREIGN;
	host->holder_id = host->holder == CHECK_HOLDER_FOREIGN ? 0 : id;
	return st;
}

static struct status
take_resource(struct db_tx *tx, struct check_run *run)
{
	struct status st;

	if (run->subject->resource == 0)
		return status_ok();
	st = store_resources_load(tx, run->subject->resource, &run->resource);
	if (failed(st))
		return st;
	run->has_resource = true;
	run->has_target = strchr(run->resource.target, '.') != NULL;
	return st;
}

static struct status
take_enrollment(struct db_tx *tx, struct check_run *run)
{
	const struct checks_subject *subject = run->subject;
	struct status st;

	if (subject->change == 0 && subject->resource == 0)
		return status_ok();
	st = subject->change != 0
		 ? store_checks_of_change(tx, subject->change, &run->enrollment)
		 : store_checks_of_resource(
		       tx, subject->resource, &run->enrollment);
	run->has_enrollment = !failed(st);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

/* The one that was named, else the one that would be asked first. */
static void
choose_authority(struct check_run *run)
{
	const struct config *config = run->config->config;
	const struct config_authority *at = config->acme.authorities.at;
	const char *wanted =
	    run->has_enrollment ? run->enrollment.authority : "";
	const struct config_authority *found = NULL;

	for (size_t i = 0; i < config->acme.authorities.len && !found; i++)
		if (wanted[0] != 0 ? strcmp(at[i].name, wanted) == 0
				   : !at[i].standby_only)
			found = &at[i];
	run->authority = found == NULL ? "" : found->name;
	run->ca_domain = found == NULL ? "" : found->ca_domain;
	/* A change knows which CA, or that any will do. */
	if (run->is_preflight || run->subject->ca_domain[0] != 0)
		run->ca_domain = run->subject->ca_domain;
}

static int
validation_of(const struct check_run *run, const struct check_host *host)
{
	int validation = run->subject->validation;

	if (validation == 0 && run->has_enrollment)
		validation = run->enrollment.validation;
	if (validation != 0)
		return validation;
	return host->is_wildcard ? VALIDATION_DNS_01 : VALIDATION_HTTP_01;
}

static void
begin_host(struct check_run *run, struct check_host *host, const char *name)
{
	const char *zone = run->config->config->zone;

	host->name = name;
	host->is_wildcard = hostname_is_wildcard(name);
	host->is_ours =
	    resource_fields_in_zone(zone, name) ||
	    (run->has_target && strcmp(name, run->resource.target) == 0);
	host->validation = validation_of(run, host);
}

static struct status
read_store(struct check_run *run, struct db_tx *tx)
{
	struct status st = take_resource(tx, run);

	if (!failed(st))
		st = take_enrollment(tx, run);
	for (size_t i = 0; i < run->n_hosts && !failed(st); i++) {
		begin_host(run, &run->hosts[i], run->subject->names->at[i]);
		st = take_holder(tx, run, &run->hosts[i]);
	}
	return st;
}

STATUS
check_facts_of_store(struct check_run *run)
{
	struct db_tx *tx;
	struct status st = store_read(run->config->store, &tx);

	if (failed(st))
		return st;
	st = read_store(run, tx);
	db_end(tx);
	if (!failed(st))
		choose_authority(run);
	return st;
}

/* ---- from DNS ---- */

struct asking {
	struct check_run *run;
	const char **names; /* the hosts', then the target */
	size_t n_names;
	struct dns_chain *chains;
	struct dns_question *questions; /* A and AAAA of each host */
	struct dns_answer *answers;     /* of each resolver */
	struct status *statuses;        /* of the chains, and of each */
};

static void
ask_part(void *ctx, size_t i)
{
	struct asking *asking = ctx;
	struct check_run *run = asking->run;
	size_t n = 2 * run->n_hosts;

	if (i == 0)
		asking->statuses[0] = dns_chain(run->config->resolver,
		    asking->names, asking->n_names, asking->chains);
	else
		asking->statuses[i] = dns_ask(run->resolvers[i - 1].resolver,
		    asking->questions, n, asking->answers + (i - 1) * n);
}

/* The name that the answer's CNAME leads to first; "" without. */
static const char *
first_cname(const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].type == DNS_CNAME)
			return answer->records[i].text;
	return "";
}

static void
print_answers(struct check_run *run, const struct asking *asking, size_t h)
{
	struct check_host *host = &run->hosts[h];
	size_t n = 2 * run->n_hosts, len = 0;
	const struct dns_answer *first = NULL;

	for (size_t r = 0; r < run->n_resolvers; r++)
		for (size_t t = 0; t < 2; t++) {
			const struct dns_answer *answer =
			    &asking->answers[r * n + 2 * h + t];

			if (failed(asking->statuses[r + 1]) ||
			    (t == 1 && answer->n_records == 0))
				continue;
			if (len + 1 < sizeof(host->answers))
				dns_answer_print(&asking->questions[2 * h + t],
				    answer, host->answers + len,
				    sizeof(host->answers) - len);
			len += strlen(host->answers + len);
			if (t == 1)
				continue;
			if (first == NULL)
				first = answer;
			else if (answer->code != first->code ||
				 strcmp(first_cname(answer),
				     first_cname(first)) != 0)
				host->resolvers_differ = true;
		}
}

static void
take_chain(struct check_run *run, struct check_host *host,
    const struct dns_chain *chain)
{
	host->chain = *chain;
	for (size_t i = 0; i < chain->n_hops && run->has_target; i++)
		if (strcmp(chain->hops[i], run->resource.target) == 0)
			host->reaches_target = true;
}

static void
take_answers(struct check_run *run, const struct asking *asking)
{
	for (size_t i = 0; i < run->n_hosts; i++) {
		take_chain(run, &run->hosts[i], &asking->chains[i]);
		if (!run->is_preflight)
			print_answers(run, asking, i);
	}
	if (run->has_target)
		run->target = asking->chains[run->n_hosts];
}

static void
make_questions(struct check_run *run, struct asking *asking)
{
	for (size_t i = 0; i < run->n_hosts; i++) {
		asking->names[i] = run->hosts[i].name;
		asking->questions[2 * i] =
		    (struct dns_question){ run->hosts[i].name, DNS_A, NULL };
		asking->questions[2 * i + 1] =
		    (struct dns_question){ run->hosts[i].name, DNS_AAAA, NULL };
	}
	asking->n_names = run->n_hosts;
	if (run->has_target)
		asking->names[asking->n_names++] = run->resource.target;
}

static void
asking_done(struct asking *asking, size_t parts)
{
	size_t n = 2 * asking->run->n_hosts;

	for (size_t r = 1; r < parts && asking->statuses != NULL; r++)
		for (size_t i = 0; i < n && !failed(asking->statuses[r]); i++)
			dns_answer_done(&asking->answers[(r - 1) * n + i]);
	free(asking->names);
	free(asking->chains);
	free(asking->questions);
	free(asking->answers);
	free(asking->statuses);
}

static bool
make_room(struct asking *asking, size_t parts)
{
	const struct check_run *run = asking->run;
	size_t n = run->n_hosts;

	asking->names = calloc(n + 1, sizeof(*asking->names));
	asking->chains = calloc(n + 1, sizeof(*asking->chains));
	asking->questions = calloc(2 * n + 1, sizeof(*asking->questions));
	asking->answers = calloc(2 * n * parts, sizeof(*asking->answers));
	asking->statuses = calloc(parts, sizeof(*asking->statuses));
	for (size_t i = 0; i < parts && asking->statuses != NULL; i++)
		asking->statuses[i] = message_no_memory();
	return asking->names != NULL && asking->chains != NULL &&
	       asking->questions != NULL && asking->answers != NULL &&
	       asking->statuses != NULL;
}

/* The chains are needed; what one resolver would have shown besides is not. */
STATUS
check_facts_of_dns(struct check_run *run)
{
	struct asking asking = { .run = run };
	size_t parts = run->is_preflight ? 1 : 1 + run->n_resolvers;
	struct status st = message_no_memory();

	if (make_room(&asking, parts)) {
		make_questions(run, &asking);
		fan_out(parts, ask_part, &asking);
		st = asking.statuses[0];
		if (!failed(st))
			take_answers(run, &asking);
	}
	asking_done(&asking, parts);
	return st;
}
