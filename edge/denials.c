/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A short table of who was refused lately, searched from the front: refusals
 * are rare, and a client that makes them frequent gets no better service.
 */

#include "edge/denials.h"

#include "base/clock.h"

bool
denials_log_now(struct denials *denials, uid_t uid, int64_t now_ns)
{
	size_t at = 0;

	while (at < denials->len && denials->at[at].uid != uid)
		at++;
	if (at == denials->len && at < DENIALS_MAX) {
		denials->at[denials->len++].uid = uid;
	} else {
		if (at == denials->len) {
			at = 0;
			for (size_t i = 1; i < denials->len; i++)
				if (denials->at[i].logged_ns <
				    denials->at[at].logged_ns)
					at = i;
		}
		if (now_ns - denials->at[at].logged_ns < NS_PER_S)
			return false;
		denials->at[at].uid = uid;
	}
	denials->at[at].logged_ns = now_ns;
	return true;
}
