/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Foreign text made fit to be seen: what comes out is valid UTF-8 without
 * control, invisible or direction-changing characters, so it can neither
 * command a terminal nor pose as other text.
 */

/* Octets of the UTF-8 character at the front of text (RFC 3629: shortest form,
 * no surrogates, at most U+10FFFF); 0 when there is none. */
size_t printable_take(struct bytes text, uint32_t *ret_point);
/* Is the character fit to be seen? */
bool printable_point(uint32_t point);

/*
 * Copy text with "\" as "\\", a newline as "\n", other unfit characters as
 * "\u009b" and octets that are no UTF-8 as "\xff".  Cut, between characters, at
 * max - 1 octets; always closed with a zero.  Returns the length.
 */
size_t printable_print(struct bytes text, char *ret_text, size_t max);
/* A text that is fit to be seen already, cut between characters at max - 1
 * octets; ends before what is no UTF-8. */
void printable_cut(const char *text, char *ret_text, size_t max);
/* max that cuts no text of len octets: no octet becomes more than six. */
#define PRINTABLE_MAX(len) (6 * (len) + 1)

#endif
