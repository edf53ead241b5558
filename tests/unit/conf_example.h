/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONF_EXAMPLE_H
#define TESTS_UNIT_CONF_EXAMPLE_H

#include <stddef.h>

#include "base/conf.h"

/* A schema with every type of field, for the unit test and the fuzzer. */
struct example_pool {
	char *name;
	uint64_t workers;
};

struct example {
	char *name;
	uint64_t count;
	bool enabled;
	int64_t wait_ns;
	uint64_t buffer;
	int level;
	struct conf_strings peers;
	struct {
		char *listen;
		int64_t idle_ns;
		bool verbose;
	} http;
	struct conf_maps pools; /* struct example_pool */
};

static const char *const example_levels[] = { "debug", "info", "warn", NULL };

static const struct conf_field example_http_fields[] = {
	{ .key = "listen",
	    .type = CONF_STRING,
	    .offset = offsetof(struct example, http.listen) -
		      offsetof(struct example, http),
	    .required = true },
	{ .key = "idle",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct example, http.idle_ns) -
		      offsetof(struct example, http),
	    .default_text = "90s" },
	{ .key = "verbose",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct example, http.verbose) -
		      offsetof(struct example, http) },
	{ .key = NULL },
};

static const struct conf_field example_pool_fields[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = offsetof(struct example_pool, name),
	    .required = true,
	    .min = 1,
	    .max = 16 },
	{ .key = "workers",
	    .type = CONF_UINT,
	    .offset = offsetof(struct example_pool, workers),
	    .default_text = "2",
	    .min = 1,
	    .max = 64 },
	{ .key = NULL },
};

static const struct conf_field example_schema[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = offsetof(struct example, name),
	    .required = true,
	    .max = 32 },
	{ .key = "count",
	    .type = CONF_UINT,
	    .offset = offsetof(struct example, count),
	    .default_text = "7" },
	{ .key = "enabled",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct example, enabled),
	    .default_text = "true" },
	{ .key = "wait",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct example, wait_ns),
	    .default_text = "5s",
	    .min = 1000000,
	    .max = UINT64_C(3600000000000) },
	{ .key = "buffer",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct example, buffer),
	    .default_text = "64KiB",
	    .min = 512 },
	{ .key = "level",
	    .type = CONF_CHOICE,
	    .offset = offsetof(struct example, level),
	    .default_text = "info",
	    .choices = example_levels },
	{ .key = "peers",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct example, peers),
	    .default_text = "[one, two]",
	    .min = 1,
	    .max = 3 },
	{ .key = "http",
	    .type = CONF_MAP,
	    .offset = offsetof(struct example, http),
	    .fields = example_http_fields },
	{ .key = "pools",
	    .type = CONF_MAPS,
	    .offset = offsetof(struct example, pools),
	    .fields = example_pool_fields,
	    .elem_size = sizeof(struct example_pool) },
	{ .key = NULL },
};

#endif
