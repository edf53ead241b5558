/* SPDX-License-Identifier: Apache-2.0 */

/* certd/authorities.h over the CAs in memory: no accounts, no limits. */

#include <stdio.h>
#include <string.h>

#include "tests/fake/acme_fake_int.h"
#include "tests/fake/shared_memory.h"

static char nothing[] = "";
static char ca_names[FAKE_CAS][16] = { "first", "second", "spare" };

struct authorities *
acme_fake_new(void)
{
	struct authorities *authorities =
	    shared_memory_new(sizeof(*authorities));

	for (int i = 0; i < FAKE_CAS; i++) {
		struct acme *acme = &authorities->cas[i];

		shared_memory_mutex(&acme->gate);
		shared_memory_mutex(&acme->mutex);
		snprintf(acme->name, sizeof(acme->name), "%s", ca_names[i]);
		acme_fake_make_ca(acme);
		authorities->configured[i] = (struct config_authority){
			.name = ca_names[i],
			.ca_domain = nothing,
			.profile = nothing,
			.preferred_chain = nothing,
			.standby_only = i == FAKE_SPARE,
		};
	}
	return authorities;
}

void
authorities_free(struct authorities *authorities)
{
	if (authorities != NULL)
		munmap(authorities, sizeof(*authorities));
}

struct acme *
acme_fake_at(struct authorities *authorities, int ca)
{
	return &authorities->cas[ca];
}

size_t
authorities_count(const struct authorities *authorities)
{
	(void)authorities;
	return FAKE_CAS;
}

const struct config_authority *
authorities_at(const struct authorities *authorities, size_t i)
{
	return &authorities->configured[i];
}

const struct config_authority *
authorities_find(const struct authorities *authorities, const char *name)
{
	for (int i = 0; i < FAKE_CAS; i++)
		if (strcmp(ca_names[i], name) == 0)
			return &authorities->configured[i];
	return NULL;
}

static struct acme *
find_ca(struct authorities *authorities, const char *name)
{
	for (int i = 0; i < FAKE_CAS; i++)
		if (strcmp(ca_names[i], name) == 0)
			return &authorities->cas[i];
	abort();
}

static bool
is_unwell(struct acme *acme)
{
	bool is;

	pthread_mutex_lock(&acme->mutex);
	is = acme->is_down || acme->wants_person;
	pthread_mutex_unlock(&acme->mutex);
	return is;
}

STATUS
authorities_choose(struct authorities *authorities, const char *name,
    bool standby, const struct config_authority **ret_authority,
    int64_t *ret_retry_ms, char *ret_why)
{
	for (int i = 0; i < FAKE_CAS; i++) {
		bool is_wanted = name[0] != 0 ? strcmp(name, ca_names[i]) == 0
					      : standby == (i == FAKE_SPARE);

		if (!is_wanted || is_unwell(&authorities->cas[i]))
			continue;
		*ret_authority = &authorities->configured[i];
		return status_ok();
	}
	*ret_retry_ms = 20;
	snprintf(ret_why, AUTHORITIES_WHY_MAX, "no CA answers");
	return status_fail(STATUS_UNAVAILABLE, "no CA answers");
}

STATUS
authorities_enter(struct authorities *authorities, const char *name,
    struct authority_session *ret_session, struct acme_problem *ret_problem)
{
	(void)ret_problem;
	*ret_session = (struct authority_session){
		.acme = find_ca(authorities, name),
		.account.url = "https://ca.test/account/1",
		.thumbprint = "thumbprint",
		.authority = authorities_find(authorities, name),
	};
	return status_ok();
}

void
authorities_leave(struct authority_session *session)
{
	session->acme = NULL;
}

bool
authorities_may(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names, int64_t *ret_wait_ms)
{
	struct acme *acme = find_ca(authorities, name);
	bool waits;

	(void)cost;
	(void)names;
	pthread_mutex_lock(&acme->mutex);
	waits = acme->script.is_limited && acme->was_asked;
	acme->was_asked = !waits;
	pthread_mutex_unlock(&acme->mutex);
	if (waits)
		*ret_wait_ms = 1;
	return !waits;
}

void
authorities_tell(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names,
    const struct acme_problem *problem)
{
	struct acme *acme = find_ca(authorities, name);

	(void)cost;
	(void)names;
	pthread_mutex_lock(&acme->mutex);
	acme->counts.troubles +=
	    problem != NULL && problem->type != ACME_PROBLEM_NONE;
	acme->wants_person = problem != NULL &&
			     problem->type == ACME_PROBLEM_USER_ACTION_REQUIRED;
	pthread_mutex_unlock(&acme->mutex);
}
