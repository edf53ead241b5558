/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SLOW_CROWD_H
#define TESTS_UNIT_SLOW_CROWD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * More connections to a port of 127.0.0.1 than it lets be, from many addresses
 * of loopback, each of which sends an octet of a request now and then.  Is one
 * who comes last, and asks for a path that is there, answered nevertheless?
 */
bool slow_crowd_lets_through(uint16_t port, const char *path);

/* The probe of http-01. */
#define SLOW_CROWD_PROBE "/.well-known/acme-challenge/test"

#endif
