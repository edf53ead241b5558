/* SPDX-License-Identifier: Apache-2.0 */
/* ledger/note.c, checkpoint.c, proof.c: what is signed, and how it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "ledger/note.h"
#include "ledger/verify.h"
#include "tests/unit/ledger_maker.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define DASH "\xe2\x80\x94 "

/* The example of C2SP signed-note. */
static const char example_vkey[] =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char example_note[] =
    "This is an example message.\n"
    "\n" DASH
    "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERY"
    "NZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

static struct note_key
key_of(const char *vkey)
{
	struct note_key key;

	assert_int_equal(note_key_parse(vkey, &key).code, STATUS_OK);
	return key;
}

static void
the_specifications_example_verifies(void **state)
{
	struct note_key key = key_of(example_vkey);
	uint64_t time_s = 1;
	struct note note;

	(void)state;
	assert_string_equal(key.name, "example.com/foo");
	assert_int_equal(key.hash, 0x530d903a);
	assert_int_equal(
	    note_parse(bytes_of(example_note), &note).code, STATUS_OK);
	assert_int_equal(note.n_signatures, 1);
	assert_int_equal(note_verify(&note, &key, &time_s).code, STATUS_OK);
	assert_int_equal(time_s, 0);
	key.hash++;
	assert_int_equal(note_verify(&note, &key, NULL).code, STATUS_NOT_FOUND);
}

static void
a_key_prints_as_it_was_read(void **state)
{
	struct note_key key = key_of(example_vkey);
	char vkey[NOTE_VKEY_MAX];

	(void)state;
	note_key_print(&key, vkey);
	assert_string_equal(vkey, example_vkey);
}

static void
no_flipped_bit_of_a_key_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(example_vkey) - 1; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			char vkey[sizeof(example_vkey)];
			struct note_key key;

			memcpy(vkey, example_vkey, sizeof(vkey));
			vkey[i] = (char)(vkey[i] ^ (1 << bit));
			if (!failed(note_key_parse(vkey, &key)))
				fail_msg("taken: %s", vkey);
		}
	}
}

static void
names_without_spaces_and_plus_are_names(void **state)
{
	static const uint8_t public_key[NOTE_KEY_LEN] = { 1 };
	static const char *const bad[] = { "", "a b", "a+b", "a\nb", "a\tb",
		"\xc2\xa0", "a\xe2\x80\x83z", "\xe3\x80\x80", "\xff", "a\xc3",
		"\xc0\x80", "\xed\xa0\x80", "\x01" };
	char name[NOTE_NAME_MAX + 1];
	struct note_key key;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(
		    note_key_make(bad[i], NOTE_ED25519, public_key, &key).code,
		    STATUS_INVALID_ARGUMENT);
	assert_int_equal(note_key_make("\xc3\xa9/\xf0\x9f\x94\x91",
			     NOTE_COSIGNATURE, public_key, &key)
			     .code,
	    STATUS_OK);
	memset(name, 'a', sizeof(name));
	name[NOTE_NAME_MAX] = '\0';
	assert_int_equal(
	    note_key_make(name, NOTE_ED25519, public_key, &key).code,
	    STATUS_INVALID_ARGUMENT);
	name[NOTE_NAME_MAX - 1] = '\0';
	assert_int_equal(
	    note_key_make(name, NOTE_ED25519, public_key, &key).code,
	    STATUS_OK);
	assert_int_equal(
	    note_key_make("a", (enum note_key_type)2, public_key, &key).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
malformed_notes_are_refused(void **state)
{
#define LINE DASH "n AAAAAAE=\n"
	static const char *const bad[] = { "", "\n", "\n\n", "text\n",
		"text\n\n", "text\n\n\n", "text" LINE, "text\n" LINE,
		"text\n\nn AAAAAAE=\n", "text\n\n" DASH "n\n",
		"text\n\n" DASH "n \n", "text\n\n" DASH " AAAAAAE=\n",
		"text\n\n" DASH "n AAAAAA==\n", "text\n\n" DASH "n AAAAAAF=\n",
		"text\n\n" DASH "n AAAAAAE\n", "text\n\n" DASH "n AAAAAAE= \n",
		"text\n\n" DASH "n AAAA AAE=\n",
		"text\n\n" DASH "n AAAAAAE=", "text\n\n" LINE "\n",
		"text\n\n" LINE "n", "te\x01t\n\n" LINE, "te\rt\n\n" LINE,
		"te\xfft\n\n" LINE, "text\n\n" DASH "n+m AAAAAAE=\n",
		"text\n\n" DASH "n\xc2\xa0m AAAAAAE=\n" };
	static const char good[] = "text\n\nmore\n\n" LINE LINE;
	struct note note;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		if (!failed(note_parse(bytes_of(bad[i]), &note)))
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(note_parse(bytes_of(good), &note).code, STATUS_OK);
	assert_true(bytes_equal(note.text, bytes_of("text\n\nmore\n")));
	assert_int_equal(note.n_signatures, 2);
	assert_int_equal(note.signatures[0].len, 0);
}

static void
notes_are_bounded(void **state)
{
	static char octets[NOTE_MAX + 64];
	size_t at = 0;
	struct note note;

	(void)state;
	memcpy(octets, "t\n\n", 3);
	for (at = 3; at < 3 + 64 * strlen(LINE); at += strlen(LINE))
		memcpy(octets + at, LINE, sizeof(LINE));
	assert_int_equal(note_parse(bytes_of(octets), &note).code, STATUS_OK);
	assert_int_equal(note.n_signatures, NOTE_SIGNATURES_MAX);
	memcpy(octets + at, LINE, sizeof(LINE));
	assert_int_equal(
	    note_parse(bytes_of(octets), &note).code, STATUS_INVALID_ARGUMENT);
	memset(octets, 't', sizeof(octets));
	at = NOTE_MAX - strlen("\n\n" LINE);
	memcpy(octets + at, "\n\n" LINE, sizeof("\n\n" LINE));
	assert_int_equal(note_parse(bytes_of(octets), &note).code, STATUS_OK);
	memmove(octets + at + 1, octets + at, sizeof("\n\n" LINE));
	octets[at] = 't';
	assert_int_equal(
	    note_parse(bytes_of(octets), &note).code, STATUS_INVALID_ARGUMENT);
}

static void
a_wrong_line_of_a_known_key_condemns_the_note(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	char once[NOTE_MAX], twice[NOTE_MAX];
	uint8_t wrong[NOTE_SIGNATURE_LEN] = { 0 };
	struct note note;
	size_t len;

	(void)state;
	len = ledger_maker_sign(1, bytes_of("text\n"), once);
	assert_int_equal(
	    note_parse((struct bytes){ (uint8_t *)once, len }, &note).code,
	    STATUS_OK);
	assert_int_equal(note_verify(&note, &key, NULL).code, STATUS_OK);
	assert_int_equal(
	    note_append((struct bytes){ (uint8_t *)once, len }, &key,
		(struct bytes){ wrong, sizeof(wrong) }, twice, NOTE_MAX, &len)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    note_parse((struct bytes){ (uint8_t *)twice, len }, &note).code,
	    STATUS_OK);
	assert_int_equal(note.n_signatures, 2);
	assert_int_equal(note_verify(&note, &key, NULL).code, STATUS_DATA_LOSS);
}

static void
a_note_grows_line_by_line_within_its_buffer(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	const uint8_t octets[NOTE_SIGNATURE_LEN] = { 1 };
	const struct bytes signature = { octets, sizeof(octets) };
	char note[NOTE_MAX];
	size_t len, more;

	(void)state;
	assert_int_equal(note_append(bytes_of("text\n"), &key, signature, note,
			     NOTE_MAX, &len)
			     .code,
	    STATUS_OK);
	assert_int_equal(note_append((struct bytes){ (uint8_t *)note, len },
			     &key, signature, note, NOTE_MAX, &more)
			     .code,
	    STATUS_OK);
	assert_int_equal(more - len, len - strlen("text\n\n"));
	assert_int_equal(note_append(bytes_of("text\n"), &key, signature, note,
			     len - 1, &more)
			     .code,
	    STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(
	    note_append(bytes_of("text"), &key, signature, note, len, &more)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    note_append(bytes_of("te\rxt\n"), &key, signature, note, len, &more)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    note_append(bytes_of("text\n"), &key, (struct bytes){ octets, 63 },
		note, NOTE_MAX, &more)
		.code,
	    STATUS_INVALID_ARGUMENT);
}

static void
a_cosignature_covers_its_time(void **state)
{
	uint8_t text[128];
	size_t len;

	(void)state;
	assert_int_equal(note_cosigned_text(bytes_of("a/b\n1\nR\n"), 1679315147,
			     text, sizeof(text), &len)
			     .code,
	    STATUS_OK);
	assert_true(bytes_equal((struct bytes){ text, len },
	    bytes_of("cosignature/v1\ntime 1679315147\na/b\n1\nR\n")));
	assert_int_equal(
	    note_cosigned_text(bytes_of("a\n"), 1, text, 23, &len).code,
	    STATUS_RESOURCE_EXHAUSTED);
}

static void
a_checkpoint_prints_as_it_was_read(void **state)
{
	static const char text[] =
	    "example.com/behind-the-sofa\n20852163\n"
	    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
	char printed[CHECKPOINT_TEXT_MAX];
	struct checkpoint checkpoint;

	(void)state;
	assert_int_equal(
	    checkpoint_parse(bytes_of(text), &checkpoint).code, STATUS_OK);
	assert_string_equal(checkpoint.origin, "example.com/behind-the-sofa");
	assert_true(checkpoint.size == 20852163);
	assert_int_equal(checkpoint.root.at[0], 0x0a);
	assert_int_equal(checkpoint_print(&checkpoint, printed), strlen(text));
	assert_string_equal(printed, text);
}

static void
malformed_checkpoints_are_refused(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	static const char *const bad[] = { "", "o\n", "o\n1\n",
		"\n1\n" ROOT "\n", "o\n\n" ROOT "\n", "o\n01\n" ROOT "\n",
		"o\n-1\n" ROOT "\n", "o\n1 \n" ROOT "\n",
		"o\n9223372036854775808\n" ROOT "\n",
		"o\n99999999999999999999\n" ROOT "\n", "o\n1\n" ROOT,
		"o\n1\n" ROOT "\n\n", "o\n1\n" ROOT "\nmore", "o\n1\n\n",
		"o\n1\nAAAA\n",
		"o\n1\n"
		"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n" };
	struct checkpoint checkpoint;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		if (!failed(checkpoint_parse(bytes_of(bad[i]), &checkpoint)))
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(
	    checkpoint_parse(
		bytes_of("o\n0\n" ROOT "\nextension\n"), &checkpoint)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    checkpoint_parse(
		bytes_of("o\n9223372036854775807\n" ROOT "\n"), &checkpoint)
		.code,
	    STATUS_OK);
}

static void
base64_has_one_text_for_every_run_of_octets(void **state)
{
	static const char *const good[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=",
		"====", "Z===", "Zm9v\n", " Zm9v", "Zm-_", "Zm8=Zm8=" };

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		char text[BASE64_MAX(6)];
		uint8_t octets[6];
		size_t len;

		assert_true(base64_decode(
		    bytes_of(good[i]), octets, sizeof(octets), &len));
		assert_int_equal(len, i);
		assert_memory_equal(octets, "foobar", i);
		assert_int_equal(
		    base64_encode((struct bytes){ octets, len }, text),
		    strlen(good[i]));
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		uint8_t octets[16];
		size_t len;

		if (base64_decode(
			bytes_of(bad[i]), octets, sizeof(octets), &len))
			fail_msg("taken: %s", bad[i]);
	}
}

/* A tree of two entries, "a" and "b", and the proof of the second. */
static size_t
make_proof(char ret_proof[PROOF_MAX])
{
	struct checkpoint checkpoint = { .origin = LEDGER_MAKER_ORIGIN,
		.size = 2 };
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX];
	struct merkle_hash leaves[2];
	size_t len;

	merkle_leaf(bytes_of("a"), &leaves[0]);
	merkle_leaf(bytes_of("b"), &leaves[1]);
	merkle_node(&leaves[0], &leaves[1], &checkpoint.root);
	len = checkpoint_print(&checkpoint, text);
	len =
	    ledger_maker_sign(1, (struct bytes){ (uint8_t *)text, len }, note);
	assert_int_equal(
	    proof_print(1, leaves, 1, (struct bytes){ (uint8_t *)note, len },
		ret_proof, &len)
		.code,
	    STATUS_OK);
	return len;
}

static void
a_proof_holds_for_its_entry_and_key_alone(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	const struct note_key other = ledger_maker_key(2);
	static char proof[PROOF_MAX];
	const struct bytes octets = { (uint8_t *)proof, make_proof(proof) };
	struct checkpoint checkpoint;
	uint64_t index = 0;

	(void)state;
	assert_int_equal(
	    proof_verify(octets, bytes_of("b"), &key, &index, &checkpoint).code,
	    STATUS_OK);
	assert_int_equal(index, 1);
	assert_int_equal(checkpoint.size, 2);
	assert_int_equal(
	    proof_verify(octets, bytes_of("a"), &key, &index, &checkpoint).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    proof_verify(octets, bytes_of("b"), &other, &index, &checkpoint)
		.code,
	    STATUS_NOT_FOUND);
}

static void
no_flipped_bit_of_a_proof_is_taken(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	static char proof[PROOF_MAX];
	const size_t len = make_proof(proof);
	struct checkpoint checkpoint;
	uint64_t index;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		const char kept = proof[i];

		proof[i] = (char)(kept ^ (1 << i % 8));
		if (!failed(
			proof_verify((struct bytes){ (uint8_t *)proof, len },
			    bytes_of("b"), &key, &index, &checkpoint)))
			fail_msg("octet %zu", i);
		proof[i] = kept;
		assert_true(
		    failed(proof_verify((struct bytes){ (uint8_t *)proof, i },
			bytes_of("b"), &key, &index, &checkpoint)));
	}
}

static void
extra_data_of_a_proof_is_passed_over(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	static char proof[PROOF_MAX], with[PROOF_MAX];
	const size_t len = make_proof(proof);
	const size_t head = strlen("c2sp.org/tlog-proof@v1\n");
	struct checkpoint checkpoint;
	uint64_t index;
	size_t more;

	(void)state;
	more = (size_t)snprintf(with, sizeof(with), "%.*sextra Zm9v\n%.*s",
	    (int)head, proof, (int)(len - head), proof + head);
	assert_int_equal(proof_verify((struct bytes){ (uint8_t *)with, more },
			     bytes_of("b"), &key, &index, &checkpoint)
			     .code,
	    STATUS_OK);
}

static void
a_dossiers_signature_holds_for_it_alone_and_is_no_checkpoint(void **state)
{
	const struct note_key key = ledger_maker_key(1);
	const struct note_key other = ledger_maker_key(2);
	char text[DOSSIER_TEXT_MAX], note[NOTE_MAX];
	struct checkpoint checkpoint;
	struct bytes signature;
	size_t len;

	(void)state;
	len = dossier_text(LEDGER_MAKER_ORIGIN, bytes_of("{}"), text);
	assert_string_equal(text, LEDGER_MAKER_ORIGIN
	    "/dossier\nsha256\n"
	    "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=\n");
	assert_true(failed(checkpoint_parse(bytes_of(text), &checkpoint)));
	len =
	    ledger_maker_sign(1, (struct bytes){ (uint8_t *)text, len }, note);
	signature = (struct bytes){ (uint8_t *)note, len };
	assert_int_equal(
	    dossier_verify(bytes_of("{}"), signature, &key).code, STATUS_OK);
	assert_int_equal(dossier_verify(bytes_of("{ }"), signature, &key).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(dossier_verify(bytes_of("{}"), signature, &other).code,
	    STATUS_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_specifications_example_verifies),
		cmocka_unit_test(a_key_prints_as_it_was_read),
		cmocka_unit_test(no_flipped_bit_of_a_key_is_taken),
		cmocka_unit_test(names_without_spaces_and_plus_are_names),
		cmocka_unit_test(malformed_notes_are_refused),
		cmocka_unit_test(notes_are_bounded),
		cmocka_unit_test(a_wrong_line_of_a_known_key_condemns_the_note),
		cmocka_unit_test(a_note_grows_line_by_line_within_its_buffer),
		cmocka_unit_test(a_cosignature_covers_its_time),
		cmocka_unit_test(a_checkpoint_prints_as_it_was_read),
		cmocka_unit_test(malformed_checkpoints_are_refused),
		cmocka_unit_test(base64_has_one_text_for_every_run_of_octets),
		cmocka_unit_test(a_proof_holds_for_its_entry_and_key_alone),
		cmocka_unit_test(no_flipped_bit_of_a_proof_is_taken),
		cmocka_unit_test(extra_data_of_a_proof_is_passed_over),
		cmocka_unit_test(
		    a_dossiers_signature_holds_for_it_alone_and_is_no_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
