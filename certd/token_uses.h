/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_TOKEN_USES_H
#define CERTD_TOKEN_USES_H

#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * When API tokens were last used, to the minute.  Uses are remembered here and
 * written together, once a minute at most, so that no request waits for the
 * disk because of it; a crash loses the last minute of them.  Any thread.
 */
struct token_uses;

STATUS token_uses_new(struct db *db, struct token_uses **ret_uses);
/* Writes what is left.  NULL is allowed. */
void token_uses_free(struct token_uses *uses);
SCOPED_RELEASE(token_uses_free, struct token_uses *);

/* The calling thread holds no transaction: once a minute this writes. */
void token_uses_note(struct token_uses *uses, int64_t token, int64_t now_s);
void token_uses_flush(struct token_uses *uses);

#endif
