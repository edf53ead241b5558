/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The five characters that mean something in HTML, escaped; all others pass.
 * Not for places without quotes, nor for URLs, scripts and styles: nothing of
 * ours is put there.
 */

#include "base/html.h"

void
html_put(const char *text, FILE *to)
{
	for (; *text != 0; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*text, to);
		}
}
