/* SPDX-License-Identifier: Apache-2.0 */

/* Makes and removes a SoftHSM token of a test's own: see softhsm.h. */

#include "tests/unit/softhsm.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void
die(const char *what)
{
	perror(what);
	abort();
}

void
softhsm_file(const struct softhsm *hsm, const char *name, const char *text,
    char *ret_path)
{
	int fd;

	snprintf(ret_path, SOFTHSM_PATH_MAX, "%.200s/%.40s", hsm->folder, name);
	fd = open(ret_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(ret_path);
	close(fd);
}

void
softhsm_init(struct softhsm *hsm, const char *token_label)
{
	char arg[] = "--label", label[40];
	char *argv[] = { (char[]){ "softhsm2-util" },
		(char[]){ "--init-token" }, (char[]){ "--free" }, arg, label,
		(char[]){ "--pin" }, (char[]){ "1234" }, (char[]){ "--so-pin" },
		(char[]){ "5678" }, NULL };
	char text[2 * SOFTHSM_PATH_MAX], conf[SOFTHSM_PATH_MAX];
	posix_spawn_file_actions_t quiet;
	int status;
	pid_t pid;

	snprintf(label, sizeof(label), "%s", token_label);
	memcpy(hsm->folder, "/tmp/holdfast.XXXXXX", 21);
	if (mkdtemp(hsm->folder) == NULL)
		die("mkdtemp");
	snprintf(hsm->tokens, SOFTHSM_PATH_MAX, "%.200s/tokens", hsm->folder);
	snprintf(hsm->lock_file, SOFTHSM_PATH_MAX, "%.200s/lock", hsm->folder);
	if (mkdir(hsm->tokens, 0700) != 0)
		die(hsm->tokens);
	softhsm_file(hsm, "pin", "1234\n", hsm->pin_file);
	snprintf(text, sizeof(text),
	    "directories.tokendir = %s\nobjectstore.backend = file\n"
	    "log.level = ERROR\n",
	    hsm->tokens);
	softhsm_file(hsm, "softhsm2.conf", text, conf);
	if (setenv("SOFTHSM2_CONF", conf, 1) != 0)
		die("setenv");
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		die("softhsm2-util");
	posix_spawn_file_actions_destroy(&quiet);
}

void
softhsm_done(struct softhsm *hsm)
{
	(void)scratch_remove(hsm->folder);
}
