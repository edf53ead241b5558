/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the status codes, spelled as gRPC spells them, so that a log
 * line and a foreign client speak of a failure with the same word.
 */
#include "base/status.h"

#include <stddef.h>

static const char *const names[] = {
	[STATUS_OK] = "OK",
	[STATUS_CANCELLED] = "CANCELLED",
	[STATUS_UNKNOWN] = "UNKNOWN",
	[STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
	[STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
	[STATUS_NOT_FOUND] = "NOT_FOUND",
	[STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
	[STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
	[STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
	[STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
	[STATUS_ABORTED] = "ABORTED",
	[STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
	[STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
	[STATUS_INTERNAL] = "INTERNAL",
	[STATUS_UNAVAILABLE] = "UNAVAILABLE",
	[STATUS_DATA_LOSS] = "DATA_LOSS",
	[STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *
status_name(enum status_code code)
{
	size_t i = (size_t)code;

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : "UNKNOWN";
}
