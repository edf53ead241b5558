/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_SESSION_H
#define CERTD_REST_SESSION_H

#include <stdbool.h>

#include "certd/rest_int.h"

/* Requests of browsers: sessions by cookie, and log-in. */

/* Does the request come by a session's cookie?  An Authorization header
 * counts before it. */
bool rest_session_is_there(const struct rest_request *request);
/* Finds the caller out, or leaves a reply. */
void rest_session_authenticate(struct rest_request *request);
/* Anybody may ask this; but no page of another site for whoever sees it. */
void rest_session_admit_open(struct rest_request *request);

/* Fills request->web before a method is asked ... */
void rest_session_prepare(struct rest_request *request);
/* ... and puts into the reply what it has for the browser. */
void rest_session_finish(struct rest_request *request);
/* The words for who an Idempotency-Key belongs to; NULL: it is passed over, for
 * a hash of the request would be kept, and there is a password in it. */
const char *rest_session_key_owner(
    const struct rest_request *request, char ret_text[64]);

#endif
