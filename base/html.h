/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTML_H
#define BASE_HTML_H

#include <stdio.h>

/* Text as HTML has it, between tags and in a quoted attribute: no markup comes
 * of it.  UTF-8 passes as it is.  Errors stay in the stream. */
void html_put(const char *text, FILE *to);

#endif
