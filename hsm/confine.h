/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_CONFINE_H
#define HSM_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sandbox.h"
#include "base/status.h"

/*
 * What a worker may touch, said by the front before it confines itself and
 * carried to the worker by the spawner in this variable, so that no front that
 * was taken over later can say otherwise.
 */
#define CONFINE_VARIABLE "HOLDFAST_CONFINE"
#define CONFINE_PATHS_MAX 64

struct confine_spec {
	enum sandbox_kind kind; /* SANDBOX_WORKER or SANDBOX_IDENTITY */
	const char *module, *token, *pin_file, *lock_file;
	/* What the module reads and writes: its token's folder, its own
	 * configuration, its sockets and devices. */
	const char *const *paths;
	size_t n_paths;
	bool network; /* it may make sockets */
	/* Its SoftHSM configuration, whose token folder it may use; or NULL. */
	const char *softhsm_conf;
};

/*
 * As text, which the caller frees.  ret_has_files false: the module's own files
 * are not known, so files will not be limited.  INVALID_ARGUMENT for a path
 * with a line feed in it.
 */
STATUS confine_print(
    const struct confine_spec *spec, char **ret_text, bool *ret_has_files);

/* In the worker, which has one thread and has loaded nothing: do as the
 * variable says.  Nothing without it. */
STATUS confine_begin(void);

/* Was the worker given just these?  True when it is not confined. */
bool confine_allows(const char *module, const char *token, const char *pin_file,
    const char *lock_file);

/* A file stands where none or another one stood: this worker cannot use it, a
 * new one can. */
bool confine_is_stale(void);

/* After the token was opened: no more code is loaded. */
void confine_seal(void);

#endif
