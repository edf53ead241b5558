/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_APPROVAL_VIEW_H
#define KEYD_APPROVAL_VIEW_H

#include "keyd/registry.h"
#include "proto/holdfast/keyd/v1/approvals.pb-c.h"

/* An approval as its protobuf message, which borrows from the row. */
struct approval_view {
	Holdfast__Keyd__V1__Approval approval;
	Holdfast__Keyd__V1__ApprovalVote votes[APPROVAL_VOTES_MAX];
	Holdfast__Keyd__V1__ApprovalVote *at[APPROVAL_VOTES_MAX];
};

void approval_view_init(
    struct approval_view *view, const struct registry_approval *row);

#endif
