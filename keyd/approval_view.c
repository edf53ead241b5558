/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows of approvals as protobuf messages.  The stored request stays behind:
 * the act's text says what it asks for.
 */

#include "keyd/approval_view.h"

#include <string.h>

#include "keyd/pb.h"

/* No key at all is stored as zeros. */
static bool
has_key(const struct registry_approval *row)
{
	static const struct key_id none;

	return memcmp(row->key.at, none.at, KEY_ID_LEN) != 0;
}

void
approval_view_init(
    struct approval_view *view, const struct registry_approval *row)
{
	Holdfast__Keyd__V1__Approval *approval = &view->approval;

	holdfast__keyd__v1__approval__init(approval);
	approval->id = (uint64_t)row->id;
	approval->act = pb_text(row->act);
	if (has_key(row))
		approval->key_id = pb_octets(row->key.at, KEY_ID_LEN);
	approval->requested_by = pb_text(row->requested_by);
	approval->requested_s = row->requested_s;
	approval->expires_s = row->expires_s;
	approval->state = (Holdfast__Keyd__V1__Approval__State)row->state;
	approval->quorum = row->quorum;
	approval->outcome = pb_text(row->outcome);
	approval->comment = pb_text(row->comment);
	for (size_t i = 0; i < row->n_votes; i++) {
		Holdfast__Keyd__V1__ApprovalVote *vote = &view->votes[i];

		holdfast__keyd__v1__approval_vote__init(vote);
		vote->operator_ = pb_text(row->votes[i].operator);
		vote->approve = row->votes[i].approve;
		vote->at_s = row->votes[i].at_s;
		vote->comment = pb_text(row->votes[i].comment);
		view->at[i] = vote;
	}
	approval->votes = view->at;
	approval->n_votes = row->n_votes;
}
