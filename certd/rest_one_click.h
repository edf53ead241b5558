/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_ONE_CLICK_H
#define CERTD_REST_ONE_CLICK_H

#include <stdbool.h>

#include "certd/rest_int.h"

/*
 * The link in a mail that stops such mails, as mail programs follow it (RFC
 * 8058): POST /console/unsubscribe?token=..., with a form for a body that says
 * nothing more, by nobody who is known.  It is Notices.Unsubscribe under
 * another path, its token in the query.
 */

/* If it is that: what it means is in request->route, and one_click is set. */
bool rest_one_click_takes(struct rest_request *request);
/* May the body be of that type, which is not looked at? */
bool rest_one_click_takes_body(const struct rest_request *request);

#endif
