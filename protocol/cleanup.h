/* SPDX-License-Identifier: MIT */
/*
 * Ownership in C: an owned local carries CLEANUP() and starts as NULL or -1; handing it on is TAKE_PTR() or
 * take_fd(), which leaves NULL or -1 behind. So every early return is clean by itself.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function)		   __attribute__((cleanup(function)))
#define MUST_CHECK			   __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))
#define ARRAY_LEN(array)		   (sizeof(array) / sizeof((array)[0]))

/* Moves a pointer out of its owner, which is left NULL. */
#define TAKE_PTR(pointer)                             \
	({                                            \
		__typeof__(pointer) *p_ = &(pointer); \
		__typeof__(pointer) v_ = *p_;         \
		*p_ = NULL;                           \
		v_;                                   \
	})

/* DEFINE_CLEANUP(struct race, race_free) makes race_freep() for CLEANUP(race_freep). */
#define DEFINE_CLEANUP(type, free_function)                \
	static inline void free_function##p(type **object) \
	{                                                  \
		if (*object)                               \
			(void)free_function(*object);      \
	}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes and answers -1, so that `fd = close_fd(fd)` forgets it; -1 is no error. errno stays as it was. */
static inline int close_fd(int fd)
{
	int saved_errno = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved_errno;
	return -1;
}

static inline void fd_closep(int *fd)
{
	(void)close_fd(*fd);
}

static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}
