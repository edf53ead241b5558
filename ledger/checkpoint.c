/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-checkpoint: the text that is signed.  A text has one reading: no
 * leading zeros, canonical base64, no empty lines; so equal checkpoints are
 * equal octets unless they carry extensions, which are passed over.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "ledger/note.h"
#include "ledger/text.h"

size_t
checkpoint_print(
    const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_TEXT_MAX])
{
	char root[BASE64_MAX(MERKLE_HASH_LEN)];

	base64_encode(
	    (struct bytes){ checkpoint->root.at, MERKLE_HASH_LEN }, root);
	return (size_t)snprintf(ret_text, CHECKPOINT_TEXT_MAX,
	    "%s\n%" PRIu64 "\n%s\n", checkpoint->origin, checkpoint->size,
	    root);
}

STATUS
checkpoint_parse(struct bytes text, struct checkpoint *ret_checkpoint)
{
	struct checkpoint checkpoint = { 0 };
	struct bytes origin, size, root, line;

	if (!text_take_line(&text, &origin) || !text_take_line(&text, &size) ||
	    !text_take_line(&text, &root))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a checkpoint has lines for origin, size and root");
	if (origin.len == 0 || origin.len >= sizeof(checkpoint.origin) ||
	    memchr(origin.at, '\0', origin.len) != NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a checkpoint's origin has 1 to 255 octets");
	if (!text_number(size, &checkpoint.size))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a checkpoint's size is a decimal number");
	if (!base64_decode_exactly(root, checkpoint.root.at, MERKLE_HASH_LEN))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a checkpoint's root is 32 octets in base64");
	while (text.len > 0) {
		if (!text_take_line(&text, &line) || line.len == 0)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a checkpoint's further lines are not empty");
	}
	memcpy(checkpoint.origin, origin.at, origin.len);
	*ret_checkpoint = checkpoint;
	return status_ok();
}
