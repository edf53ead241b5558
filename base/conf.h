/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * YAML configuration, walked by a schema into a C struct (DESIGN.md 8).  Every
 * complaint is "file:line:column: what is wrong; what to do".  Unknown keys are
 * errors with "did you mean"; anchors, aliases, tags and duplicate keys are
 * refused; scalars are read by the schema's type, never guessed (a string "no"
 * stays "no").
 */
enum conf_type {
	CONF_STRING,   /* char *, malloc'd; min/max bound its length */
	CONF_UINT,     /* uint64_t, within min..max */
	CONF_BOOL,     /* bool: true or false, nothing else */
	CONF_DURATION, /* int64_t ns: "250us", "5s", "10m", "1h", "7d" */
	CONF_SIZE,     /* uint64_t octets: "64KiB", "4MiB", "1GiB", "512" */
	CONF_CHOICE,   /* int: index into choices */
	CONF_STRINGS,  /* struct conf_strings */
	CONF_MAP,      /* a nested struct, in place; schema in fields */
	CONF_MAPS,     /* struct conf_maps: a list of maps, schema in fields */
};

struct conf_strings {
	char **at;
	size_t len;
};

struct conf_maps {
	void *at; /* len elements of the field's elem_size each */
	size_t len;
};

struct conf_field {
	const char *key; /* NULL ends a schema */
	enum conf_type type;
	size_t offset; /* of the member in its struct */
	bool required;
	const char *default_text; /* as it would stand in YAML; NULL: zero */
	uint64_t min, max; /* max 0: no upper bound; for lists, their length */
	const char *const *choices;      /* NULL-terminated, CONF_CHOICE */
	const struct conf_field *fields; /* CONF_MAP, CONF_MAPS */
	size_t elem_size;                /* CONF_MAPS */
	const char *help; /* one sentence; docs and lints read it */
};

#define CONF_ERROR_MAX 512

/*
 * Read path into config, which the caller has zeroed.  An absent map that is
 * not required gets its members' defaults, and none of them is required then.
 * At most 64 fields a map, 4,096 entries a list, 1 MiB a file.  On failure
 * ret_error
 * holds the message and config holds nothing that needs freeing.
 */
STATUS conf_load(const char *path, const struct conf_field *schema,
    void *config, char ret_error[CONF_ERROR_MAX]);

/* The same of an open file, which stays open; path stands in messages. */
STATUS conf_load_fd(int fd, const char *path, const struct conf_field *schema,
    void *config, char ret_error[CONF_ERROR_MAX]);

/* The same from memory; name stands in messages.  For tests and fuzzing. */
STATUS conf_parse(const char *name, const char *text, size_t len,
    const struct conf_field *schema, void *config,
    char ret_error[CONF_ERROR_MAX]);

/* Free what conf_load allocated and zero config. */
void conf_free(const struct conf_field *schema, void *config);

#endif
