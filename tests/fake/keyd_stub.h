/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_KEYD_STUB_H
#define TESTS_FAKE_KEYD_STUB_H

#include "rpc/enroll.h"
#include "tests/unit/pki.h"

/*
 * A keyd of a few lines, in process: a real rpc server with the Signer service,
 * whose "signature" is the content itself, cut at 64 octets.  It answers, holds
 * back, refuses or babbles on cue.  Any thread; asserts on its own failures.
 */
struct keyd_stub;

enum keyd_stub_mode {
	STUB_ANSWERS,
	STUB_HOLDS,   /* until keyd_stub_release */
	STUB_REFUSES, /* PERMISSION_DENIED "no grant for this key" */
	STUB_BABBLES, /* a message that is no batch, once; then answers */
};

#define STUB_SIGNATURE_MAX 64

/* Its CA is made; it does not listen yet. */
struct keyd_stub *keyd_stub_new(enum keyd_stub_mode mode);
void keyd_stub_free(struct keyd_stub *stub);

/* Listen on 127.0.0.1: a free port the first time, the same one after. */
void keyd_stub_start(struct keyd_stub *stub);
/* As if keyd was stopped: streams break with their requests unanswered. */
void keyd_stub_stop(struct keyd_stub *stub);

void keyd_stub_set_mode(struct keyd_stub *stub, enum keyd_stub_mode mode);
/* Answer what was held, and from now on. */
void keyd_stub_release(struct keyd_stub *stub);

struct keyd_stub_counts {
	unsigned streams, batches, requests, largest;
};
struct keyd_stub_counts keyd_stub_counts(struct keyd_stub *stub);
/* Wait until that many requests (streams) have come since it was made. */
void keyd_stub_await_requests(struct keyd_stub *stub, unsigned least);
void keyd_stub_await_streams(struct keyd_stub *stub, unsigned least);

/* "127.0.0.1:port", borrowed; after the first start. */
const char *keyd_stub_endpoint(const struct keyd_stub *stub);
/* Borrowed: who vouches for it and for its edge. */
struct pki_ca *keyd_stub_ca(struct keyd_stub *stub);
/* A new identity of an edge, with that endpoint. */
struct enroll_identity *keyd_stub_identity(struct keyd_stub *stub);

#endif
