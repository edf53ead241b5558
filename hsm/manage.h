/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_MANAGE_H
#define HSM_MANAGE_H

#include "hsm/hsm_int.h"

/* Acts of management, for the files of the door that do some. */

struct manage_ask {
	enum wire_type type;
	struct wire_query query;
	const struct hsm_import *import; /* NULL unless the type carries one */
};

/* What of it is set depends on the type. */
struct manage_reply {
	struct hsm_key key;
	struct hsm_blob blob;
	uint32_t number;
	bool died; /* the worker ended over it */
};

/* One act at a time, to its end. */
STATUS manage_begin(struct hsm *hsm, int64_t deadline_ns);
void manage_end(struct hsm *hsm);

/* Ask a lane that is taken, and release it. */
STATUS manage_ask(struct lane *lane, const struct manage_ask *ask,
    struct manage_reply *ret_reply);

/* Ask one lane, within manage_begin and _end; another when its token went
 * away.  *ret_lane, if it is not NULL, is the one that answered. */
STATUS manage_one(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply, struct lane **ret_lane);

/* The whole of an act that one lane does. */
STATUS manage_run(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply);

/* The whole of an act that yields a key for all lanes to know. */
STATUS manage_run_key(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply);

/* A query that names a label; LABEL_BAD when it is none. */
STATUS manage_label(const char *label, struct wire_query *query);

#endif
