/* SPDX-License-Identifier: MIT */
/*
 * Small system files that are read whole and read again when they changed (hosts, services, resolv.conf).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "protocol/cleanup.h"

/* The whole file with a NUL behind it; the caller frees. -errno; -EFBIG above LIMIT_FILE_BYTES; -EINVAL: no regular file. */
MUST_CHECK int file_read(const char *path, char **ret, size_t *ret_len, struct stat *ret_stat);

/*
 * Whether the file at path is no longer the one that `seen` describes (zeroed: none was there): device, inode, size, mtime or
 * ctime in nanoseconds differ, or it came or went. Programs set the mtime as they like, and an inode's number is used again;
 * the ctime is the kernel's.
 */
bool file_changed(const char *path, const struct stat *seen);

/* A file that is followed: embedded in what is made of it. */
struct file_follow {
	char *path; /* owned */
	struct stat seen;
	/*
	 * A clock has ticks: what is written just behind the reading may leave no trace in `seen`. So it is read again at each
	 * look until that cannot be any more.
	 */
	bool is_settled;
	uint64_t since_us; /* when `seen` was first so */
	uint64_t digest;   /* of what was loaded last; 0: nothing */
};

/* path is copied; NULL or "": there is no file. -ENOMEM. */
MUST_CHECK int file_follow_init(struct file_follow *follow, const char *path);
void file_follow_done(struct file_follow *follow);

/*
 * Takes the text over (with a NUL behind its len bytes; NULL and 0: there is no file) and puts what
 * it says in force. < 0: nothing has changed, and the file is tried again at the next look.
 */
typedef int file_load_fn(void *arg, char *text, size_t len);

/*
 * Loads the file when it is not the one that was seen and its bytes are not those that were loaded. A file that is gone is
 * loaded as no text. One that is there but cannot be read, is too large or no regular file leaves what was known in force,
 * with a warning; so does a shortage of memory or descriptors, without one, and then the next look tries again.
 */
void file_follow_refresh(struct file_follow *follow, file_load_fn *load, void *arg);

/* len bytes and a NUL behind them, to be freed; NULL: out of memory. */
char *file_copy_text(const char *text, size_t len);

/* The lines that could not be used: how many, and the number of the first, from 1 (0: there is none). */
struct file_bad_lines {
	size_t n, first;
};

void file_bad_lines_add(struct file_bad_lines *bad, size_t number);
/* Warns of them; of none, and of a text that came from no file, nothing is said. */
void file_follow_warn_bad_lines(const struct file_follow *follow, const struct file_bad_lines *bad);

/* The lines of a text, cut in place. */
struct file_lines {
	char *rest, *end;
	size_t number; /* of the line given out last, from 1 */
	struct file_bad_lines bad;
};

void file_lines_init(struct file_lines *lines, char *text, size_t len);
/* The next line without its end (LF or CR LF) and without a comment from # on; NULL at the end. One with a NUL inside is a
 * bad line and left out: the rest of it would be taken for nothing. */
char *file_lines_next(struct file_lines *lines);
/* Counts the line given out last as one that could not be used. */
void file_lines_mark_bad(struct file_lines *lines);
