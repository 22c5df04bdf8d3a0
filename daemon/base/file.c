/* SPDX-License-Identifier: MIT */
#include "daemon/base/file.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "daemon/base/log.h"

/*
 * How long a time stamp may stay the same while the file is written. The kernel's ticks are 10 ms at most; some file systems
 * keep seconds, or even seconds of them (FAT).
 */
#define TICK_USEC	 (100 * USEC_PER_MSEC)
#define COARSE_TICK_USEC (2 * USEC_PER_SEC)

int file_read(const char *path, char **ret, size_t *ret_len, struct stat *ret_stat)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > LIMIT_FILE_BYTES)
		return -EFBIG;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)status.st_size) {
		ssize_t n = read(fd, text + len, (size_t)status.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break; /* it shrank meanwhile: the change shows at the next look */
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	*ret_stat = status;
	return 0;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       is_same_time(&a->st_mtim, &b->st_mtim) && is_same_time(&a->st_ctim, &b->st_ctim);
}

bool file_changed(const char *path, const struct stat *seen)
{
	struct stat now = { 0 };

	if (stat(path, &now) < 0)
		return seen->st_ino != 0;
	return !is_same(&now, seen);
}

int file_follow_init(struct file_follow *follow, const char *path)
{
	*follow = (struct file_follow){ .path = strdup(path ? path : ""), .is_settled = true };
	return follow->path ? 0 : -ENOMEM;
}

void file_follow_done(struct file_follow *follow)
{
	free(follow->path);
	follow->path = NULL;
}

/* FNV-1a. */
static uint64_t digest_of(const char *text, size_t len)
{
	uint64_t digest = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return digest;
}

static bool is_older(const struct timespec *time, const struct timespec *now, uint64_t usec)
{
	int64_t age_us = ((int64_t)now->tv_sec - time->tv_sec) * (int64_t)USEC_PER_SEC +
			 (now->tv_nsec - time->tv_nsec) / 1000;

	return age_us > (int64_t)usec;
}

/*
 * Whether a write behind a reading that began at `began` would show in the time stamps: they were a tick old. Where the
 * file's clock is not ours, or went back, they may be of the future; then it is enough that they stay the same for a tick of
 * our own clock.
 */
static bool is_settled(const struct file_follow *follow, const struct timespec *began)
{
	const struct stat *seen = &follow->seen;
	bool is_coarse = seen->st_mtim.tv_nsec == 0 && seen->st_ctim.tv_nsec == 0;
	uint64_t tick_us = is_coarse ? COARSE_TICK_USEC : TICK_USEC;

	if (is_older(&seen->st_mtim, began, tick_us) && is_older(&seen->st_ctim, began, tick_us))
		return true;
	return clock_now_us() - follow->since_us > tick_us;
}

/* What cannot be read leaves what was known in force: said once, and tried again when it has changed. */
static void skip_unreadable(struct file_follow *follow, int error)
{
	log_warning("a file cannot be read, what was known stays in force file=%s error=%s",
		    follow->path, error == -EINVAL ? "no regular file" : strerror(-error));
	if (stat(follow->path, &follow->seen) < 0)
		follow->seen = (struct stat){ 0 };
	follow->is_settled = true;
}

void file_follow_refresh(struct file_follow *follow, file_load_fn *load, void *arg)
{
	struct stat status = { 0 };
	struct timespec began = { 0 };
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	uint64_t digest;
	int r;

	if (follow->is_settled && !file_changed(follow->path, &follow->seen))
		return;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &began); /* what files are stamped with */
	r = file_read(follow->path, &text, &len, &status);
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return;
	if (r < 0 && r != -ENOENT && r != -ENOTDIR) {
		skip_unreadable(follow, r);
		return;
	}
	digest = digest_of(text, len);
	if (digest != follow->digest && load(arg, TAKE_PTR(text), len) < 0)
		return;
	if (!is_same(&status, &follow->seen))
		follow->since_us = clock_now_us();
	follow->seen = status;
	follow->digest = digest;
	follow->is_settled = status.st_ino == 0 || is_settled(follow, &began);
}

char *file_copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void file_bad_lines_add(struct file_bad_lines *bad, size_t number)
{
	if (bad->n++ == 0)
		bad->first = number;
}

void file_follow_warn_bad_lines(const struct file_follow *follow, const struct file_bad_lines *bad)
{
	if (bad->n == 0 || follow->path[0] == '\0')
		return;
	log_warning("lines that make no sense are left out file=%s lines=%zu first=%zu",
		    follow->path, bad->n, bad->first);
}

void file_lines_init(struct file_lines *lines, char *text, size_t len)
{
	*lines = (struct file_lines){ .rest = text, .end = text ? text + len : NULL };
}

char *file_lines_next(struct file_lines *lines)
{
	while (lines->rest < lines->end) {
		char *line = lines->rest;
		char *line_end = memchr(line, '\n', (size_t)(lines->end - line));

		if (!line_end)
			line_end = lines->end;
		lines->rest = line_end + 1;
		lines->number++;
		while (line_end > line && line_end[-1] == '\r')
			line_end--;
		*line_end = '\0';
		if (strlen(line) == (size_t)(line_end - line)) {
			line[strcspn(line, "#")] = '\0';
			return line;
		}
		file_lines_mark_bad(lines);
	}
	return NULL;
}

void file_lines_mark_bad(struct file_lines *lines)
{
	file_bad_lines_add(&lines->bad, lines->number);
}
