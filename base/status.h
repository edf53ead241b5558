/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The numbers are gRPC's (grpc/status.h), so one vocabulary runs from CK_RV
 * to the wire and no table stands between a module and its caller.
 */
enum status_code {
	STATUS_OK = 0,
	STATUS_CANCELLED = 1,
	STATUS_UNKNOWN = 2,
	STATUS_INVALID_ARGUMENT = 3,
	STATUS_DEADLINE_EXCEEDED = 4,
	STATUS_NOT_FOUND = 5,
	STATUS_ALREADY_EXISTS = 6,
	STATUS_PERMISSION_DENIED = 7,
	STATUS_RESOURCE_EXHAUSTED = 8,
	STATUS_FAILED_PRECONDITION = 9,
	STATUS_ABORTED = 10,
	STATUS_OUT_OF_RANGE = 11,
	STATUS_UNIMPLEMENTED = 12,
	STATUS_INTERNAL = 13,
	STATUS_UNAVAILABLE = 14,
	STATUS_DATA_LOSS = 15,
	STATUS_UNAUTHENTICATED = 16,
};

struct status {
	enum status_code code;
	uint32_t detail; /* CK_RV, errno or HTTP status; logged, never sent */
	const char *why; /* static text; safe to log and to send */
};

_Static_assert(sizeof(struct status) == 16, "status returns in registers");

/* Every function that can fail is declared to return STATUS. */
#define STATUS __attribute__((warn_unused_result)) struct status

static inline struct status
status_ok(void)
{
	return (struct status){ .code = STATUS_OK, .why = "ok" };
}

static inline struct status
status_fail(enum status_code code, const char *why)
{
	return (struct status){ .code = code, .why = why };
}

static inline struct status
status_fail_detail(enum status_code code, const char *why, uint32_t detail)
{
	return (struct status){ .code = code, .detail = detail, .why = why };
}

static inline bool
failed(struct status st)
{
	return st.code != STATUS_OK;
}

/* The code's name as gRPC spells it ("PERMISSION_DENIED"); never NULL. */
const char *status_name(enum status_code code);

#endif
