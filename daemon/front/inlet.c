/* SPDX-License-Identifier: MIT */
#include "daemon/front/inlet.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/front/closer.h"

/* SCM_MAX_FD, as many as one message can carry: with less room the kernel would close the rest here. */
#define RIGHTS_MAX 253

/* Takes credentials and descriptors off a message. Answers the writer. */
static uid_t take_control(struct msghdr *message, struct closer *closer)
{
	uid_t uid = (uid_t)-1;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t len = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_CREDENTIALS && len == sizeof(struct ucred)) {
			struct ucred credentials;

			memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
			uid = credentials.uid;
		} else if (header->cmsg_type == SCM_RIGHTS) {
			for (size_t i = 0; i < len / sizeof(int); i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
				closer_adopt(closer, fd);
			}
		}
	}
	return uid;
}

/*
 * How many bytes can be read without receiving a descriptor; -EBUSY: among those that could be read now some bring one,
 * which the kernel tells by saying that the control data was cut.
 */
static ssize_t measure_plain(int socket, struct iovec iov)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return message.msg_flags & MSG_CTRUNC ? -EBUSY : n;
}

ssize_t inlet_receive(int socket, char *buffer, size_t size, struct closer *closer, uid_t *ret_uid)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buffer, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	ssize_t n;

	if (closer_get_room(closer) < RIGHTS_MAX) {
		n = measure_plain(socket, iov);
		if (n < 0)
			return n;
		iov.iov_len = (size_t)n;
	}
	n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	*ret_uid = take_control(&message, closer);
	return n;
}
