/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configuration in certd's life.  A file that is wrong when it is read again
 * changes nothing: certd goes on as it was and says so.
 */

#include "certd/settings.h"

#include "base/log.h"
#include "base/process.h"
#include "base/scoped.h"
#include "certd/opener.h"

static void
apply_log(const struct config *config)
{
	log_setup((enum log_level)config->log.level,
	    (enum log_format)config->log.format);
}

STATUS
settings_load(const char *path, struct config **ret_config)
{
	char error[CONF_ERROR_MAX];
	struct status st = config_load(path, ret_config, error);

	if (failed(st))
		log_error("certd cannot start", LOG_STR("config", error));
	else
		apply_log(*ret_config);
	return st;
}

void
settings_reload(const char *path)
{
	scoped(close) int fd = path != NULL ? opener_open(path) : -1;
	scoped(config_free) struct config *config = NULL;
	char error[CONF_ERROR_MAX];

	process_notify("RELOADING=1");
	if (failed(config_load_fd(fd, path, &config, error))) {
		log_error("the configuration stays as it was",
		    LOG_STR("config", error));
	} else {
		apply_log(config);
		log_info("log settings read again; all else takes a restart");
	}
	process_notify("READY=1");
}
