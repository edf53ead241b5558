/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_PB_H
#define KEYD_PB_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

/*
 * Lend constant text and octets to a message that is only going to be packed:
 * protobuf-c's structs have no const, and packing changes nothing.
 */
static inline char *
pb_text(const char *borrowed)
{
	return (char *)(uintptr_t)borrowed;
}

static inline ProtobufCBinaryData
pb_octets(const uint8_t *borrowed, size_t len)
{
	return (ProtobufCBinaryData){ .data = (uint8_t *)(uintptr_t)borrowed,
		.len = len };
}

#endif
