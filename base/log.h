/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/status.h"

/*
 * Structured records to stderr, one line each, written by one write(2): logfmt
 * (default) or JSON.  Any thread.  Values are escaped, so a peer's text can
 * neither break the line nor forge a field; a line is cut at 2,048 octets.
 *
 *     log_info("key generated", LOG_UINT("ms", took));
 *     time=2026-01-02T03:04:05.678Z level=info msg="key generated" ms=24
 */
enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR
};
enum log_format {
	LOG_LOGFMT,
	LOG_JSON
};

struct log_field {
	const char *key;
	enum {
		LOG_FIELD_STR,
		LOG_FIELD_UINT,
		LOG_FIELD_INT
	} type;
	union {
		const char *str; /* NULL prints as empty */
		uint64_t uint;
		int64_t sint;
	} value;
};

#define LOG_STR(k, v)                                                          \
	(struct log_field)                                                     \
	{                                                                      \
		.key = (k), .type = LOG_FIELD_STR, .value.str = (v)            \
	}
#define LOG_UINT(k, v)                                                         \
	(struct log_field)                                                     \
	{                                                                      \
		.key = (k), .type = LOG_FIELD_UINT,                            \
		.value.uint = (uint64_t)(v)                                    \
	}
#define LOG_INT(k, v)                                                          \
	(struct log_field)                                                     \
	{                                                                      \
		.key = (k), .type = LOG_FIELD_INT, .value.sint = (int64_t)(v)  \
	}

/* Process-wide; any thread, also while others log.  Default info, logfmt. */
void log_setup(enum log_level least, enum log_format format);

/* msg is a fixed sentence; fields end with key == NULL. */
void log_write(
    enum log_level level, const char *msg, const struct log_field *fields);

/*
 * The request id that records of this thread carry as "request" until it is
 * set again; NULL or "" for none.  Copied, at most 63 octets.
 */
void log_set_request(const char *id);

#define LOG_(level, msg, ...)                                                  \
	log_write((level), (msg),                                              \
	    (const struct log_field[]){                                        \
		__VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })
#define log_debug(msg, ...) LOG_(LOG_DEBUG, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_info(msg, ...) LOG_(LOG_INFO, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(msg, ...) LOG_(LOG_WARN, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_error(msg, ...) LOG_(LOG_ERROR, msg __VA_OPT__(, ) __VA_ARGS__)

/* The three fields every failure has: code, why, detail. */
#define LOG_STATUS(st)                                                         \
	LOG_STR("code", status_name((st).code)), LOG_STR("why", (st).why),     \
	    LOG_UINT("detail", (st).detail)

#endif
