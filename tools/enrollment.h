/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_ENROLLMENT_H
#define TOOLS_ENROLLMENT_H

/* NULL-terminated, at the places of the .proto's numbers; 0 is none. */
extern const char *const enrollment_validations[];

#endif
