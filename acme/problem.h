/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_PROBLEM_H
#define ACME_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What went wrong between certd and a CA: the CA's own problem document (RFC
 * 8555 6.7), or that there was no answer, or one that is no ACME.
 */
enum acme_problem_type {
	ACME_PROBLEM_NONE = 0,
	/* Not the CA's word: see is_temporary and why. */
	ACME_PROBLEM_UNREACHABLE, /* DNS, TCP, TLS, time */
	ACME_PROBLEM_NOT_ACME,    /* HTML, too long, cut, another origin */
	ACME_PROBLEM_SIGNER,      /* the account key could not sign */
	/* urn:ietf:params:acme:error:... */
	ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
	ACME_PROBLEM_ALREADY_REPLACED,
	ACME_PROBLEM_ALREADY_REVOKED,
	ACME_PROBLEM_BAD_CSR,
	ACME_PROBLEM_BAD_NONCE,
	ACME_PROBLEM_BAD_PUBLIC_KEY,
	ACME_PROBLEM_BAD_REVOCATION_REASON,
	ACME_PROBLEM_BAD_SIGNATURE_ALGORITHM,
	ACME_PROBLEM_CAA,
	ACME_PROBLEM_COMPOUND,
	ACME_PROBLEM_CONNECTION,
	ACME_PROBLEM_DNS,
	ACME_PROBLEM_EXTERNAL_ACCOUNT_REQUIRED,
	ACME_PROBLEM_INCORRECT_RESPONSE,
	ACME_PROBLEM_INVALID_CONTACT,
	ACME_PROBLEM_INVALID_PROFILE,
	ACME_PROBLEM_MALFORMED,
	ACME_PROBLEM_ORDER_NOT_READY,
	ACME_PROBLEM_RATE_LIMITED,
	ACME_PROBLEM_REJECTED_IDENTIFIER,
	ACME_PROBLEM_SERVER_INTERNAL,
	ACME_PROBLEM_TLS,
	ACME_PROBLEM_UNAUTHORIZED,
	ACME_PROBLEM_UNSUPPORTED_CONTACT,
	ACME_PROBLEM_UNSUPPORTED_IDENTIFIER,
	ACME_PROBLEM_USER_ACTION_REQUIRED,
	ACME_PROBLEM_OTHER /* a type that is not known here */
};

struct acme_problem {
	enum acme_problem_type type;
	/* Worth trying again as it is. */
	bool is_temporary;
	int http_status;        /* 0: no answer */
	int64_t retry_after_ms; /* from now, at most a day; -1: not said */
	/* For people, escaped: the CA's detail and its subproblems with their
	 * names, or what was wrong with the answer. */
	char why[768];
};

/* "rateLimited"; "unreachable" and the like for those that are not the CA's. */
const char *acme_problem_name(enum acme_problem_type type);

#endif
