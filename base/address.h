/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* A numeric address and a port. */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* "127.0.0.1:7446" or "[::1]:7446"; no names, nothing is looked up. */
bool address_parse(const char *text, union address *ret_address);
/* Octets of it that count, for bind and connect. */
socklen_t address_len(const union address *address);
/* In the machine's own order. */
uint16_t address_port(const union address *address);
/* 127.0.0.0/8 or ::1. */
bool address_is_loopback(const union address *address);

#endif
