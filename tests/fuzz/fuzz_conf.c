/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a configuration: it is read whole, or refused with a message that
 * names the place and with nothing left to free.
 */
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "tests/unit/conf_example.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct example zero;
	struct example config = { 0 };
	char error[CONF_ERROR_MAX] = "";
	struct status st = conf_parse(
	    "f", (const char *)data, size, example_schema, &config, error);

	if (failed(st)) {
		if (strncmp(error, "f:", 2) != 0 ||
		    memcmp(&config, &zero, sizeof(zero)) != 0)
			abort();
		return 0;
	}
	/* What the schema promises. */
	if (config.name == NULL || strlen(config.name) > 32 ||
	    config.wait_ns < 1000000 || config.buffer < 512 ||
	    config.level < 0 || config.level > 2 || config.peers.len < 1 ||
	    config.peers.len > 3)
		abort();
	conf_free(example_schema, &config);
	return 0;
}
