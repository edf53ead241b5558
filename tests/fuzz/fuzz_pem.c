/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as PEM: no crash, blocks lie within it, one after another; what a
 * block decodes to is what its tidy form decodes to, and that form needs no
 * tolerance.
 */
#include <stdlib.h>
#include <string.h>

#include "pki/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_tidy(const struct pem_block *block, struct bytes octets)
{
	char *text = malloc(PEM_TIDY_MAX(block));
	uint8_t *again = malloc(block->body.len + 1);
	struct pem_reader reader;
	struct pem_block tidy;
	char why[PEM_WHY_MAX];
	bool found = false;
	size_t len = 0;

	if (text == NULL || again == NULL ||
	    failed(pem_tidy(block, text, &len, why)))
		abort();
	pem_reader_init(&reader, (struct bytes){ (uint8_t *)text, len });
	if (failed(pem_reader_next(&reader, &tidy, &found, why)) || !found ||
	    reader.tolerated != 0 ||
	    failed(pem_decode(&tidy, again, &len, why)) ||
	    !bytes_equal((struct bytes){ again, len }, octets))
		abort();
	free(text);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *octets = malloc(size + 1);
	const uint8_t *behind = data;
	struct pem_reader reader;
	struct pem_block block;
	char why[PEM_WHY_MAX];
	bool found = true;
	size_t len;

	if (octets == NULL)
		return 0;
	pem_reader_init(&reader, (struct bytes){ data, size });
	while (
	    !failed(pem_reader_next(&reader, &block, &found, why)) && found) {
		if (block.body.at < behind ||
		    block.body.at + block.body.len > data + size)
			abort();
		behind = block.body.at + block.body.len;
		if (!failed(pem_decode(&block, octets, &len, why)))
			check_tidy(&block, (struct bytes){ octets, len });
	}
	free(octets);
	return 0;
}
