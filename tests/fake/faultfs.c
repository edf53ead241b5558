/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A disk that misbehaves on cue: a FUSE file system over a folder.  What is
 * written to a file stays in this process until it is synced (fsync, fdatasync,
 * or a descriptor with O_DSYNC); killing this process is a power loss, and the
 * folder beneath is what the disk then holds.  Names are durable at once and
 * contents are not, which is the worst a journaling file system does.
 *
 *     faultfs FOLDER MOUNTPOINT
 *     setfattr -n user.fault -v "delay-ms 3000" MOUNTPOINT
 *
 * Cues: "delay-ms N" (each write and sync takes so long), "errno N" (each write
 * and sync fails with it), "ok".  For tests as root; single-threaded.
 */

#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define SECTOR ((size_t)512)

/* A file's contents as processes see them. */
struct node {
	struct node *next;
	ino_t ino;
	int fd; /* of the file beneath */
	uint8_t *at;
	size_t size, room;
	uint8_t *dirty; /* one octet a sector */
	bool resized;
};

static int beneath; /* the folder */
static struct node *nodes;
static unsigned delay_ms;
static int fault;

static const char *
relative(const char *path)
{
	return path[1] == 0 ? "." : path + 1;
}

static int
result(int rc)
{
	return rc < 0 ? -errno : 0;
}

static int
misbehave(void)
{
	const struct timespec pause = { delay_ms / 1000,
		(long)(delay_ms % 1000) * 1000000 };

	if (delay_ms > 0)
		nanosleep(&pause, NULL);
	return -fault;
}

static struct node *
find(ino_t ino)
{
	for (struct node *n = nodes; n != NULL; n = n->next)
		if (n->ino == ino)
			return n;
	return NULL;
}

static bool
resize(struct node *n, size_t size)
{
	if (size > n->room) {
		size_t room = (size + (1 << 20)) & ~(size_t)0xfffff;
		uint8_t *at = realloc(n->at, room);
		uint8_t *dirty =
		    at == NULL ? NULL : realloc(n->dirty, room / SECTOR);

		if (at != NULL)
			n->at = at;
		if (dirty == NULL)
			return false;
		memset(at + n->room, 0, room - n->room);
		memset(dirty + n->room / SECTOR, 0, (room - n->room) / SECTOR);
		n->dirty = dirty;
		n->room = room;
	}
	if (size < n->size) {
		memset(n->at + size, 0, n->size - size);
		memset(n->dirty + size / SECTOR, 1,
		    (n->room - size) / SECTOR); /* zeros again */
	}
	n->resized = n->resized || size != n->size;
	n->size = size;
	return true;
}

/* What a sync does: the file beneath becomes what processes see. */
static int
settle(struct node *n)
{
	if (n->resized && ftruncate(n->fd, (off_t)n->size) != 0)
		return -errno;
	for (size_t s = 0; s * SECTOR < n->size; s++) {
		size_t at = s * SECTOR;
		size_t len = n->size - at < SECTOR ? n->size - at : SECTOR;

		if (n->dirty[s] == 0)
			continue;
		if (pwrite(n->fd, n->at + at, len, (off_t)at) != (ssize_t)len)
			return -EIO;
		n->dirty[s] = 0;
	}
	n->resized = false;
	return 0;
}

/* Takes the descriptor. */
static int
adopt(int fd, struct fuse_file_info *fi)
{
	struct stat sb;
	struct node *n;

	if (fd < 0 || fstat(fd, &sb) != 0)
		return -errno;
	n = find(sb.st_ino);
	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return -ENOMEM;
		n->ino = sb.st_ino;
		n->fd = fd;
		n->next = nodes;
		nodes = n;
		if (!resize(n, (size_t)sb.st_size) ||
		    pread(fd, n->at, n->size, 0) != (ssize_t)n->size)
			return -EIO;
		n->resized = false;
	} else {
		close(fd);
	}
	if ((fi->flags & O_TRUNC) != 0 && !resize(n, 0))
		return -ENOMEM;
	fi->fh = (uintptr_t)n;
	fi->direct_io = 1;
	return 0;
}

static struct node *
node_of(struct fuse_file_info *fi)
{
	return (struct node *)(uintptr_t)fi->fh; // NOLINT: libfuse's own way
}

static int
fs_getattr(const char *path, struct stat *sb, struct fuse_file_info *fi)
{
	struct node *n = fi != NULL ? node_of(fi) : NULL;
	int rc = n != NULL ? fstat(n->fd, sb)
			   : fstatat(beneath, relative(path), sb,
				 AT_SYMLINK_NOFOLLOW);

	if (rc != 0)
		return -errno;
	if (n == NULL && S_ISREG(sb->st_mode))
		n = find(sb->st_ino);
	if (n != NULL)
		sb->st_size = (off_t)n->size;
	return 0;
}

static int
fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
    struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	int fd = openat(beneath, relative(path), O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	(void)offset;
	(void)fi;
	(void)flags;
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL)
		if (fill(buffer, entry->d_name, NULL, 0, 0) != 0)
			break;
	closedir(dir);
	return 0;
}

static int
fs_open(const char *path, struct fuse_file_info *fi)
{
	return adopt(openat(beneath, relative(path), O_RDWR | O_CLOEXEC), fi);
}

static int
fs_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int rc = misbehave();

	if (rc != 0)
		return rc;
	return adopt(
	    openat(beneath, relative(path),
		O_RDWR | O_CREAT | O_CLOEXEC | (fi->flags & O_EXCL), mode),
	    fi);
}

static int
fs_read(const char *path, char *buffer, size_t len, off_t offset,
    struct fuse_file_info *fi)
{
	const struct node *n = node_of(fi);
	size_t at = (size_t)offset;

	(void)path;
	if (at >= n->size)
		return 0;
	if (len > n->size - at)
		len = n->size - at;
	memcpy(buffer, n->at + at, len);
	return (int)len;
}

static int
fs_write(const char *path, const char *buffer, size_t len, off_t offset,
    struct fuse_file_info *fi)
{
	struct node *n = node_of(fi);
	size_t at = (size_t)offset;
	int rc = misbehave();

	(void)path;
	if (rc != 0)
		return rc;
	if (at + len > n->size && !resize(n, at + len))
		return -ENOSPC;
	memcpy(n->at + at, buffer, len);
	for (size_t s = at / SECTOR; s * SECTOR < at + len; s++)
		n->dirty[s] = 1;
	if ((fi->flags & (O_DSYNC | O_SYNC)) != 0)
		rc = settle(n);
	return rc != 0 ? rc : (int)len;
}

static int
fs_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	int rc = misbehave();

	(void)path;
	(void)datasync;
	return rc != 0 ? rc : settle(node_of(fi));
}

static int
fs_fsyncdir(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)path;
	(void)datasync;
	(void)fi;
	return misbehave();
}

static int
fs_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	struct fuse_file_info own = { .flags = O_RDWR };
	int rc = fi != NULL ? 0 : fs_open(path, &own);

	if (rc != 0)
		return rc;
	return resize(node_of(fi != NULL ? fi : &own), (size_t)size) ? 0
								     : -ENOSPC;
}

static int
fs_fallocate(const char *path, int mode, off_t offset, off_t len,
    struct fuse_file_info *fi)
{
	struct node *n = node_of(fi);
	size_t end = (size_t)offset + (size_t)len;

	(void)path;
	if (mode != 0)
		return -EOPNOTSUPP;
	return end <= n->size || resize(n, end) ? 0 : -ENOSPC;
}

static int
fs_rename(const char *from, const char *to, unsigned flags)
{
	int rc = misbehave();

	return rc != 0 ? rc
		       : result(renameat2(beneath, relative(from), beneath,
			     relative(to), flags));
}

static int
fs_unlink(const char *path)
{
	return result(unlinkat(beneath, relative(path), 0));
}

static int
fs_mkdir(const char *path, mode_t mode)
{
	return result(mkdirat(beneath, relative(path), mode));
}

static int
fs_rmdir(const char *path)
{
	return result(unlinkat(beneath, relative(path), AT_REMOVEDIR));
}

static int
fs_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	(void)fi;
	return result(fchmodat(beneath, relative(path), mode, 0));
}

static int
fs_utimens(
    const char *path, const struct timespec times[2], struct fuse_file_info *fi)
{
	(void)fi;
	return result(
	    utimensat(beneath, relative(path), times, AT_SYMLINK_NOFOLLOW));
}

static int
fs_statfs(const char *path, struct statvfs *sb)
{
	(void)path;
	return result(fstatvfs(beneath, sb));
}

/* The cue. */
static int
fs_setxattr(const char *path, const char *name, const char *value, size_t len,
    int flags)
{
	char text[64];
	unsigned number = 0;

	(void)flags;
	if (strcmp(path, "/") != 0 || strcmp(name, "user.fault") != 0 ||
	    len >= sizeof(text))
		return -ENOTSUP;
	memcpy(text, value, len);
	text[len] = 0;
	delay_ms = 0;
	fault = 0;
	if (sscanf(text, "delay-ms %u", &number) == 1)
		delay_ms = number;
	else if (sscanf(text, "errno %u", &number) == 1)
		fault = (int)number;
	else if (strcmp(text, "ok") != 0)
		return -EINVAL;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct fuse_operations operations = {
		.getattr = fs_getattr,
		.readdir = fs_readdir,
		.open = fs_open,
		.create = fs_create,
		.read = fs_read,
		.write = fs_write,
		.fsync = fs_fsync,
		.fsyncdir = fs_fsyncdir,
		.truncate = fs_truncate,
		.fallocate = fs_fallocate,
		.rename = fs_rename,
		.unlink = fs_unlink,
		.mkdir = fs_mkdir,
		.rmdir = fs_rmdir,
		.chmod = fs_chmod,
		.utimens = fs_utimens,
		.statfs = fs_statfs,
		.setxattr = fs_setxattr,
	};
	static char attributes[] = "attr_timeout=0,entry_timeout=0";
	char *arguments[] = { argv[0], argc == 3 ? argv[2] : NULL,
		(char[]){ "-f" }, (char[]){ "-s" }, (char[]){ "-o" },
		attributes, NULL };

	if (argc != 3) {
		fprintf(stderr, "usage: faultfs FOLDER MOUNTPOINT\n");
		return 2;
	}
	beneath = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (beneath < 0) {
		perror(argv[1]);
		return 1;
	}
	umask(0);
	return fuse_main(6, arguments, &operations, NULL);
}
