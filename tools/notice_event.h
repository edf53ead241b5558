/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_NOTICE_EVENT_H
#define TOOLS_NOTICE_EVENT_H

#include <stdbool.h>

#include "proto/holdfast/certd/v1/notices.pb-c.h"

/* What people are told of, as they read and write it on a command line. */

#define NOTICE_EVENT_MAX 48

/* "renewal failed"; "?" of one that this program does not know. */
void notice_event_print(
    Holdfast__Certd__V1__NoticeEvent event, char ret_text[NOTICE_EVENT_MAX]);
/* In any case, with '_', '-' or blanks between its words.  False: it is none.
 */
bool notice_event_read(
    const char *text, Holdfast__Certd__V1__NoticeEvent *ret_event);

#endif
