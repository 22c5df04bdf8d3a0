/* SPDX-License-Identifier: MIT */
#include "daemon/base/file.h"

#include <fcntl.h>
#include <string.h>

#include "daemon/base/limits.h"
#include "daemon/base/log.h"

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

bool file_changed(const char *path, const struct stat *seen)
{
	struct stat now = { 0 };

	if (stat(path, &now) < 0)
		return seen->st_ino != 0;
	return now.st_dev != seen->st_dev || now.st_ino != seen->st_ino ||
	       now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

int file_follow_init(struct file_follow *follow, const char *path)
{
	*follow = (struct file_follow){ .path = strdup(path ? path : "") };
	return follow->path ? 0 : -ENOMEM;
}

void file_follow_done(struct file_follow *follow)
{
	free(follow->path);
	follow->path = NULL;
}

void file_follow_refresh(struct file_follow *follow, file_load_fn *load, void *arg)
{
	struct stat status = { 0 };
	char *text = NULL;
	size_t len = 0;
	int r;

	if (!file_changed(follow->path, &follow->seen))
		return;
	r = file_read(follow->path, &text, &len, &status);
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return;
	if (r < 0 && r != -ENOENT && r != -ENOTDIR) {
		/* Said once: the file counts as seen, and is tried again when it has changed. */
		log_warning("a file cannot be read, what was known stays in force file=%s error=%s",
			    follow->path, r == -EINVAL ? "no regular file" : strerror(-r));
		if (stat(follow->path, &follow->seen) < 0)
			follow->seen = (struct stat){ 0 };
		return;
	}
	if (load(arg, text, len) == 0)
		follow->seen = status;
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
