/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_PEM_H
#define PKI_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * Text split into its PEM blocks (RFC 7468), as lax about what surrounds them
 * as people and editors are, and strict about what is in them.  Borrows the
 * text and copies nothing but labels, so that a private key among the blocks
 * leaves no trace.  One thread for a reader.
 */
#define PEM_LABEL_MAX 64
#define PEM_WHY_MAX 160

/* What a reader let pass, as bits. */
enum pem_tolerated {
	PEM_BOM = 1 << 0,        /* UTF-8's byte order mark */
	PEM_CRLF = 1 << 1,       /* lines end in CR LF */
	PEM_CR = 1 << 2,         /* lines end in CR alone */
	PEM_BLANKS = 1 << 3,     /* blanks around or inside lines */
	PEM_TEXT = 1 << 4,       /* text outside blocks */
	PEM_NO_NEWLINE = 1 << 5, /* the last line does not end */
	PEM_GLUED = 1 << 6,      /* a BEGIN on the line of an END */
	PEM_TOLERATED_END_ = 1 << 7,
};

/* One bit as a sentence for people, "removed a byte order mark". */
const char *pem_tolerated_text(enum pem_tolerated bit);

struct pem_block {
	char label[PEM_LABEL_MAX]; /* "CERTIFICATE" */
	struct bytes headers;      /* RFC 1421's lines; empty as a rule */
	struct bytes body;         /* base64, with its blanks */
	unsigned line;             /* that of BEGIN, from 1 */
};

struct pem_reader {
	struct bytes rest;
	unsigned line;
	unsigned tolerated; /* so far */
	bool is_behind_end; /* on the line of an END */
};

/* Is there a BEGIN line somewhere? */
bool pem_is(struct bytes text);

/* text must outlive the reader and its blocks. */
void pem_reader_init(struct pem_reader *reader, struct bytes text);

/*
 * The next block.  *ret_found is false at the end of the text.
 * INVALID_ARGUMENT: a block that does not end, a BEGIN or END line that is
 * mangled, text in UTF-16; ret_why (PEM_WHY_MAX) names the line.
 */
STATUS pem_reader_next(struct pem_reader *reader, struct pem_block *ret_block,
    bool *ret_found, char *ret_why);

/*
 * The octets that the body stands for.  ret_at holds body.len octets, more than
 * are needed.  INVALID_ARGUMENT: no base64, or it is cut; ret_why (PEM_WHY_MAX)
 * names the line.  ret_at is worked in: on failure it has no meaning.
 */
STATUS pem_decode(const struct pem_block *block, uint8_t *ret_at,
    size_t *ret_len, char *ret_why);

/*
 * The block again as RFC 7468 wants it, headers kept, for readers that are
 * less lax; zero-terminated.  ret_at holds PEM_TIDY_MAX(block), not all of
 * which is used.  INVALID_ARGUMENT: a character that is not base64's.
 */
#define PEM_TIDY_MAX(block)                                                    \
	((block)->headers.len * 2 + (block)->body.len * 2 +                    \
	    2 * PEM_LABEL_MAX + 64)
STATUS pem_tidy(const struct pem_block *block, char *ret_at, size_t *ret_len,
    char *ret_why);

/* Octets of a block of this label, the zero included. */
size_t pem_encode_max(const char *label, size_t len);
/* Writes the block and a zero; lines end in LF, the last too.  Returns the
 * length without the zero. */
size_t pem_encode(const char *label, struct bytes octets, char *ret_text);

#endif
