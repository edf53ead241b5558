/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/*
 * For "did you mean": the word of a NULL-terminated list that a typing error or
 * two would turn into this one; NULL when none is that near.
 */
const char *nearest_word(const char *typed, const char *const *words);

#endif
