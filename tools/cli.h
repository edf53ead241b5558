/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"
#include "rpc/client.h"
#include "rpc/enroll.h"

/* What every command of `holdfast` shares: options, the call, the output. */

/* Exit codes; holdfast(1) documents them. */
enum cli_exit {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,     /* the request was refused, or failed */
	EXIT_USAGE = 2,       /* the command line is wrong */
	EXIT_UNREACHABLE = 3, /* keyd did not answer in time */
	EXIT_MISSING = 4,     /* what was named does not exist */
	EXIT_DENIED = 5,      /* this identity may not do that */
};

struct cli {
	const char *state_dir;
	const char
	    *keyd; /* host:port instead of the joined endpoints; or NULL */
	const char *certd; /* host:port, or NULL: see tools/certd.h */
	unsigned timeout_ms;
	bool json;
	struct enroll_identity *identity; /* after cli_connect */
	struct rpc_client *client;        /* likewise */
	struct rpc_client *certd_client;  /* after the first certd_call */
};

/* One verb: `holdfast NOUN VERB`.  run gets what follows the verb. */
struct cli_command {
	const char *noun;
	const char *verb; /* NULL: the noun alone */
	const char *arguments;
	const char *summary;
	int (*run)(struct cli *cli, int argc, char **argv);
};

int cli_key_generate(struct cli *cli, int argc, char **argv);
int cli_key_import(struct cli *cli, int argc, char **argv);
int cli_key_list(struct cli *cli, int argc, char **argv);
int cli_key_show(struct cli *cli, int argc, char **argv);
int cli_key_grant(struct cli *cli, int argc, char **argv);
int cli_key_revoke(struct cli *cli, int argc, char **argv);
int cli_key_stub(struct cli *cli, int argc, char **argv);
int cli_key_csr(struct cli *cli, int argc, char **argv);
int cli_key_dossier(struct cli *cli, int argc, char **argv);
int cli_key_set(struct cli *cli, int argc, char **argv);
int cli_key_suspend(struct cli *cli, int argc, char **argv);
int cli_key_resume(struct cli *cli, int argc, char **argv);
int cli_key_destroy(struct cli *cli, int argc, char **argv);
int cli_key_cancel_destruction(struct cli *cli, int argc, char **argv);
int cli_approval_list(struct cli *cli, int argc, char **argv);
int cli_approval_show(struct cli *cli, int argc, char **argv);
int cli_approval_approve(struct cli *cli, int argc, char **argv);
int cli_approval_reject(struct cli *cli, int argc, char **argv);
int cli_audit_show(struct cli *cli, int argc, char **argv);
int cli_audit_tail(struct cli *cli, int argc, char **argv);
int cli_audit_report(struct cli *cli, int argc, char **argv);
int cli_audit_export(struct cli *cli, int argc, char **argv);
int cli_audit_verify(struct cli *cli, int argc, char **argv);
int cli_audit_key(struct cli *cli, int argc, char **argv);
int cli_audit_prove(struct cli *cli, int argc, char **argv);
int cli_audit_cosign(struct cli *cli, int argc, char **argv);
int cli_audit_rotate_key(struct cli *cli, int argc, char **argv);
int cli_edge_invite(struct cli *cli, int argc, char **argv);
int cli_edge_list(struct cli *cli, int argc, char **argv);
int cli_edge_group(struct cli *cli, int argc, char **argv);
int cli_edge_quarantine(struct cli *cli, int argc, char **argv);
int cli_edge_release(struct cli *cli, int argc, char **argv);
int cli_edge_show(struct cli *cli, int argc, char **argv);
int cli_edge_resync(struct cli *cli, int argc, char **argv);
int cli_cert_upload(struct cli *cli, int argc, char **argv);
int cli_cert_list(struct cli *cli, int argc, char **argv);
int cli_cert_show(struct cli *cli, int argc, char **argv);
int cli_cert_set(struct cli *cli, int argc, char **argv);
int cli_cert_export(struct cli *cli, int argc, char **argv);
int cli_cert_replace(struct cli *cli, int argc, char **argv);
int cli_cert_delete(struct cli *cli, int argc, char **argv);
int cli_cert_csr(struct cli *cli, int argc, char **argv);
int cli_cert_requests(struct cli *cli, int argc, char **argv);
int cli_cert_attach(struct cli *cli, int argc, char **argv);
int cli_cert_withdraw(struct cli *cli, int argc, char **argv);
int cli_resource_create(struct cli *cli, int argc, char **argv);
int cli_resource_list(struct cli *cli, int argc, char **argv);
int cli_resource_show(struct cli *cli, int argc, char **argv);
int cli_resource_set(struct cli *cli, int argc, char **argv);
int cli_resource_bind(struct cli *cli, int argc, char **argv);
int cli_resource_unbind(struct cli *cli, int argc, char **argv);
int cli_resource_delete(struct cli *cli, int argc, char **argv);
int cli_enrollment_create(struct cli *cli, int argc, char **argv);
int cli_enrollment_list(struct cli *cli, int argc, char **argv);
int cli_enrollment_show(struct cli *cli, int argc, char **argv);
int cli_enrollment_set(struct cli *cli, int argc, char **argv);
int cli_enrollment_issue(struct cli *cli, int argc, char **argv);
int cli_enrollment_revoke(struct cli *cli, int argc, char **argv);
int cli_enrollment_delete(struct cli *cli, int argc, char **argv);
int cli_change_list(struct cli *cli, int argc, char **argv);
int cli_change_show(struct cli *cli, int argc, char **argv);
int cli_change_wait(struct cli *cli, int argc, char **argv);
int cli_change_verify(struct cli *cli, int argc, char **argv);
int cli_change_issue(struct cli *cli, int argc, char **argv);
int cli_change_retry(struct cli *cli, int argc, char **argv);
int cli_change_cancel(struct cli *cli, int argc, char **argv);
int cli_authority_list(struct cli *cli, int argc, char **argv);
int cli_authority_show(struct cli *cli, int argc, char **argv);
int cli_authority_check(struct cli *cli, int argc, char **argv);
int cli_authority_rollover_key(struct cli *cli, int argc, char **argv);
int cli_plan_replace(struct cli *cli, int argc, char **argv);
int cli_plan_list(struct cli *cli, int argc, char **argv);
int cli_plan_show(struct cli *cli, int argc, char **argv);
int cli_plan_start(struct cli *cli, int argc, char **argv);
int cli_plan_pause(struct cli *cli, int argc, char **argv);
int cli_plan_cancel(struct cli *cli, int argc, char **argv);
int cli_account_create(struct cli *cli, int argc, char **argv);
int cli_account_list(struct cli *cli, int argc, char **argv);
int cli_account_delete(struct cli *cli, int argc, char **argv);
int cli_account_history(struct cli *cli, int argc, char **argv);
int cli_user_create(struct cli *cli, int argc, char **argv);
int cli_user_list(struct cli *cli, int argc, char **argv);
int cli_user_set(struct cli *cli, int argc, char **argv);
int cli_user_delete(struct cli *cli, int argc, char **argv);
int cli_token_create(struct cli *cli, int argc, char **argv);
int cli_token_list(struct cli *cli, int argc, char **argv);
int cli_token_revoke(struct cli *cli, int argc, char **argv);
int cli_console_link(struct cli *cli, int argc, char **argv);
int cli_notice_list(struct cli *cli, int argc, char **argv);
int cli_notice_retry(struct cli *cli, int argc, char **argv);
int cli_notice_test(struct cli *cli, int argc, char **argv);
int cli_notice_rules(struct cli *cli, int argc, char **argv);
int cli_webhook_add(struct cli *cli, int argc, char **argv);
int cli_webhook_list(struct cli *cli, int argc, char **argv);
int cli_webhook_remove(struct cli *cli, int argc, char **argv);
int cli_webhook_test(struct cli *cli, int argc, char **argv);
int cli_choices(struct cli *cli, int argc, char **argv);
int cli_diagnose(struct cli *cli, int argc, char **argv);
int cli_join(struct cli *cli, int argc, char **argv);
int cli_status(struct cli *cli, int argc, char **argv);
int cli_bench_sign(struct cli *cli, int argc, char **argv);

/* Print "holdfast: <text>" to stderr and return code. */
int cli_fail(enum cli_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Take "--name VALUE" or "--name=VALUE" out of argv; NULL when it is not there.
 * cli_flag takes a bare "--name".  cli_rest refuses options nobody took and a
 * number of plain arguments outside min..max; it prints the complaint.
 */
const char *cli_option(int *argc, char **argv, const char *name);
bool cli_flag(int *argc, char **argv, const char *name);
bool cli_rest(int argc, char **argv, int min, int max, const char *usage);
/* Of a command that was given nothing to change: EXIT_USAGE, printed. */
int cli_nothing_to_change(const char *usage);
/* Words after "before", in lines of at most 100 columns. */
void cli_usage(FILE *to, const char *before, const char *usage);
/* A whole number within min..max, or false with a complaint printed. */
bool cli_number(const char *name, const char *text, unsigned long min,
    unsigned long max, unsigned *ret_number);

/* The exit code that says what a status says. */
enum cli_exit cli_exit_of(enum status_code code);

/* A dossier is the longest answer there is. */
#define CLI_MESSAGE_MAX ((size_t)16 * 1024 * 1024)

/* Load the identity and open the client; 0, or an exit code after printing. */
int cli_connect(struct cli *cli);
void cli_disconnect(struct cli *cli);

/*
 * One call.  0 and *ret_reply (free with protobuf_c_message_free_unpacked), or
 * an exit code after printing why and, where there is one, the next step.
 */
int cli_call(struct cli *cli, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply);

/* ---- output (tools/output.c) ---- */

/* A table for people; cells are copied, the header is printed only with rows.
 * table_print_list says on stderr, without rows, what none means. */
struct table;
struct table *table_new(const char *const *header); /* NULL-terminated */
void table_add(struct table *table, const char *const *cells);
void table_print(const struct table *table); /* to stdout */
void table_print_list(const struct table *table, const char *none);
void table_free(struct table *table);

#define AGE_TEXT_MAX 32
/* "in 3 h", "2 d ago", "now"; "-" for 0. */
void cli_age(int64_t at_s, char ret_text[AGE_TEXT_MAX]);

#endif
