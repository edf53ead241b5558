/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_COMMENTS_H
#define CERTD_COMMENTS_H

#include "base/scoped.h"
#include "base/status.h"

/* The comments of the .proto files, by full names, from the descriptor set that
 * is built in (proto/descriptors.h). */
struct comments;

STATUS comments_new(struct comments **ret_comments);
void comments_free(struct comments *comments); /* NULL is allowed */
SCOPED_RELEASE(comments_free, struct comments *);

/*
 * Of "holdfast.certd.v1.Account", its member "name" (a field, a method, an
 * enum's value), or of itself when member is NULL.  One line a paragraph; ""
 * when there is none.  Borrowed.
 */
const char *comments_of(
    const struct comments *comments, const char *type, const char *member);

#endif
