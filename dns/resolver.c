/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many questions at once.  Each is a job: it goes to one server, and from there
 * on to the next as long as it gets no answer that means something.  Of what
 * the servers said the last is kept, silence aside.  A bounded number is under
 * way; the rest waits its turn.
 */

#include "dns/resolver_int.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "base/address.h"
#include "base/clock.h"
#include "dns/lanes.h"
#include "dns/message.h"

#define TIMEOUT_MS 5000
#define IN_FLIGHT_MAX 64
#define PORT 53

struct call;

struct job {
	const struct dns_question *question;
	struct dns_answer answer;
	struct call *of;
	struct job *next; /* of those that came back */
	const char *server;
	size_t first, attempt;
	int64_t began_ns;
};

struct call {
	struct dns_resolver *resolver;
	struct lanes *lanes;
	size_t n_servers;
	char servers[DNS_CONFIGURED_MAX][64];
	size_t in_flight;
	struct job *back;
	struct status st; /* what ends the call */
};

/* --- Life -------------------------------------------------------------------
 */

static bool
is_server(const char *text)
{
	union address address;

	return strlen(text) < 64 && address_parse(text, &address) &&
	       address_port(&address) != 0;
}

static struct status
no_server(void)
{
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "a DNS server is not address:port, such as 192.0.2.53:53");
}

STATUS
dns_resolver_new(const struct dns_resolver_config *config,
    struct dns_resolver **ret_resolver)
{
	struct dns_resolver *resolver;
	size_t n = config->n_servers < DNS_CONFIGURED_MAX ? config->n_servers
							  : DNS_CONFIGURED_MAX;

	for (size_t i = 0; i < n; i++)
		if (!is_server(config->servers[i]))
			return no_server();
	resolver = calloc(1, sizeof(*resolver));
	if (resolver == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < n; i++)
		(void)!snprintf(resolver->servers[i],
		    sizeof(resolver->servers[i]), "%s", config->servers[i]);
	resolver->n_servers = n;
	resolver->timeout_ms =
	    config->timeout_ms != 0 ? config->timeout_ms : TIMEOUT_MS;
	resolver->authoritative_port =
	    config->authoritative_port != 0 ? config->authoritative_port : PORT;
	*ret_resolver = resolver;
	return status_ok();
}

void
dns_resolver_free(struct dns_resolver *resolver)
{
	free(resolver);
}

void
dns_answer_done(struct dns_answer *answer)
{
	free(answer->records);
	answer->records = NULL;
	answer->n_records = 0;
}

/* --- A job ------------------------------------------------------------------
 */

/* What the server said helps; other servers need not be asked. */
static bool
is_final(enum dns_code code)
{
	return code == DNS_OK || code == DNS_NXDOMAIN;
}

static size_t
attempts(const struct job *job)
{
	return job->question->server != NULL ? 1 : job->of->n_servers;
}

static void
on_answer(void *arg, const struct bytes *message)
{
	struct job *job = arg;
	struct dns_answer answer = { .code = DNS_NO_ANSWER };
	struct status st = status_ok();

	if (message != NULL)
		st = message_read(*message, job->question, &answer);
	if (failed(st))
		job->of->st = st;
	if (job->attempt == 0 || answer.code != DNS_NO_ANSWER) {
		dns_answer_done(&job->answer);
		(void)!snprintf(
		    answer.server, sizeof(answer.server), "%s", job->server);
		answer.took_ms =
		    (unsigned)((clock_mono_ns() - job->began_ns) / NS_PER_MS);
		job->answer = answer;
	}
	if (message == NULL && attempts(job) > 1) {
		size_t at = (job->first + job->attempt) % attempts(job);

		atomic_compare_exchange_strong(
		    &job->of->resolver->first, &at, (at + 1) % attempts(job));
	}
	job->attempt++;
	job->next = job->of->back;
	job->of->back = job;
}

static STATUS
start(struct job *job)
{
	struct call *call = job->of;
	uint8_t octets[MESSAGE_QUESTION_MAX];
	struct wire_writer message = { .at = octets, .max = sizeof(octets) };
	size_t n = attempts(job), lane;
	struct lanes_to to = { .tries = n > 1 ? 2 : 3,
		.timeout_ms = call->resolver->timeout_ms / (unsigned)n };
	struct status st;
	uint16_t id;

	if (job->question->server != NULL)
		job->server = job->question->server;
	else
		job->server = call->servers[(job->first + job->attempt) % n];
	to.server = job->server;
	st = lanes_open(call->lanes, &to, &lane);
	if (failed(st))
		return st;
	if (RAND_bytes((uint8_t *)&id, sizeof(id)) != 1)
		return status_fail(STATUS_INTERNAL, "no random octets");
	message_ask(job->question, id, &message);
	if (message.is_bad)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "that is not a DNS name");
	if (job->attempt == 0)
		job->began_ns = clock_mono_ns();
	call->in_flight++;
	lanes_send(call->lanes, lane, (struct bytes){ octets, message.len },
	    on_answer, job);
	return status_ok();
}

/* --- A call -----------------------------------------------------------------
 */

/* What came back is done with, or goes to the next server. */
static STATUS
settle(struct call *call)
{
	while (call->back != NULL) {
		struct job *job = call->back;
		struct status st;

		call->back = job->next;
		call->in_flight--;
		if (failed(call->st))
			return call->st;
		if (is_final(job->answer.code) || job->attempt >= attempts(job))
			continue;
		st = start(job);
		if (failed(st))
			return st;
	}
	return status_ok();
}

static STATUS
run(struct call *call, struct job *jobs, size_t n)
{
	size_t next = 0;

	for (;;) {
		struct status st = status_ok();

		while (next < n && call->in_flight < IN_FLIGHT_MAX &&
		       !failed(st)) {
			jobs[next].first = call->resolver->first;
			st = start(&jobs[next++]);
		}
		if (!failed(st) && call->back == NULL && call->in_flight > 0)
			st = lanes_wait(call->lanes);
		if (!failed(st))
			st = settle(call);
		if (failed(st) || (call->in_flight == 0 && next == n))
			return st;
	}
}

static STATUS
check(const struct dns_question *questions, size_t n)
{
	uint8_t octets[MESSAGE_QUESTION_MAX];

	for (size_t i = 0; i < n; i++) {
		struct wire_writer message = { .at = octets,
			.max = sizeof(octets) };

		message_ask(&questions[i], 0, &message);
		if (message.is_bad)
			return status_fail(
			    STATUS_INVALID_ARGUMENT, "that is not a DNS name");
		if (questions[i].server != NULL &&
		    !is_server(questions[i].server))
			return no_server();
	}
	return status_ok();
}

static STATUS
begin(struct call *call)
{
	if (call->resolver->n_servers == 0) {
		struct status st =
		    lanes_system_servers(call->servers, &call->n_servers);

		if (failed(st))
			return st;
	} else {
		memcpy(call->servers, call->resolver->servers,
		    sizeof(call->servers));
		call->n_servers = call->resolver->n_servers;
	}
	return status_ok();
}

STATUS
dns_ask(struct dns_resolver *resolver, const struct dns_question *questions,
    size_t n, struct dns_answer *ret_answers)
{
	struct call call = { .resolver = resolver, .st = status_ok() };
	struct status st = check(questions, n);
	scoped(free) struct job *jobs = NULL;

	if (failed(st) || n == 0)
		return st;
	jobs = calloc(n, sizeof(*jobs));
	if (jobs == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < n; i++)
		jobs[i] =
		    (struct job){ .question = &questions[i], .of = &call };
	st = lanes_new(&call.lanes);
	if (!failed(st))
		st = begin(&call);
	if (!failed(st))
		st = run(&call, jobs, n);
	lanes_free(call.lanes);
	for (size_t i = 0; i < n; i++)
		if (failed(st))
			dns_answer_done(&jobs[i].answer);
		else
			ret_answers[i] = jobs[i].answer;
	return st;
}
