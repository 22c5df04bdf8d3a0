/* SPDX-License-Identifier: MIT */
#include "daemon/front/outlet.h"

#include <string.h>

#include "protocol/frame.h"

/* The replies of one loop turn: LIMIT_CALLS_PER_TURN of the largest kind fit. */
#define OUTLET_MAX (1024 * 1024)

#define FIRST_BYTES 1024

void outlet_clear(struct outlet *outlet)
{
	free(outlet->bytes);
	*outlet = (struct outlet){ 0 };
}

static int reserve(struct outlet *outlet, size_t wanted)
{
	size_t allocated = outlet->allocated > 0 ? outlet->allocated : FIRST_BYTES;
	char *bytes;

	if (wanted > OUTLET_MAX)
		return -ENOBUFS;
	if (wanted <= outlet->allocated)
		return 0;
	while (allocated < wanted)
		allocated *= 2;
	bytes = realloc(outlet->bytes, allocated);
	if (!bytes)
		return -ENOMEM;
	outlet->bytes = bytes;
	outlet->allocated = allocated;
	return 0;
}

int outlet_add(struct outlet *outlet, const char *text, size_t len, char terminator)
{
	int r = reserve(outlet, outlet->len + len + 1);

	if (r < 0)
		return r;
	memcpy(outlet->bytes + outlet->len, text, len);
	outlet->bytes[outlet->len + len] = terminator;
	outlet->len += len + 1;
	return 0;
}

ssize_t outlet_send(struct outlet *outlet, int socket, int fd)
{
	ssize_t n = frame_send(socket, outlet->bytes, outlet->len, fd);

	if (n < 0)
		return n;
	outlet->len -= (size_t)n;
	if (outlet->len > 0)
		memmove(outlet->bytes, outlet->bytes + n, outlet->len);
	else
		outlet_clear(outlet);
	return n;
}
