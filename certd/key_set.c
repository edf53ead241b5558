/* SPDX-License-Identifier: Apache-2.0 */

/* A few keys, none twice; see key_set.h. */

#include "certd/key_set.h"

#include <stdlib.h>

#include "proto/message.h"

void
key_set_done(struct key_set *set)
{
	free(set->at);
	*set = (struct key_set){ 0 };
}

STATUS
key_set_add(struct key_set *set, const struct key_id *key)
{
	struct key_id *more;

	for (size_t i = 0; i < set->n; i++)
		if (key_id_equal(&set->at[i], key))
			return status_ok();
	more = realloc(set->at, (set->n + 1) * sizeof(*more));
	if (more == NULL)
		return message_no_memory();
	set->at = more;
	set->at[set->n++] = *key;
	return status_ok();
}
