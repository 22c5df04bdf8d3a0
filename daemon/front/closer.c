/* SPDX-License-Identifier: MIT */
#include "daemon/front/closer.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/base/limits.h"

#define RIGHTS_MAX 253 /* SCM_MAX_FD */

#define JOIN_SECONDS 1 /* a stop waits so long for a close() that blocks */

struct item {
	int fd; /* owned */
	bool is_connection;
};

struct closer {
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	pthread_t thread;
	bool has_thread, stop;
	struct item ring[LIMIT_CLOSER_QUEUE];
	size_t first, n;
};

int closer_new(struct closer **ret)
{
	struct closer *closer = calloc(1, sizeof(*closer));

	if (!closer)
		return -ENOMEM;
	(void)pthread_mutex_init(&closer->lock,
				 NULL); /* neither can fail on Linux with default attributes */
	(void)pthread_cond_init(&closer->wanted, NULL);
	*ret = closer;
	return 0;
}

/* Without lingering a TCP socket's close() does not wait. What is no socket refuses this, and nothing else can be done. */
static void close_received(int fd)
{
	const struct linger off = { 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	(void)close(fd);
}

static void close_rights(struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			close_received(fd);
		}
	}
}

/* The kernel would close what lies unread in there as it is, lingering and all. */
static void close_connection(int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	} control;
	char bytes[4096];
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message;

	do {
		message = (struct msghdr){ .msg_iov = &iov,
					   .msg_iovlen = 1,
					   .msg_control = control.space,
					   .msg_controllen = sizeof(control.space) };
		if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
			break;
		close_rights(&message);
	} while (true);
	(void)close(fd);
}

static void *run(void *arg)
{
	struct closer *closer = arg;

	(void)pthread_mutex_lock(&closer->lock);
	for (;;) {
		struct item item;

		while (closer->n == 0 && !closer->stop)
			(void)pthread_cond_wait(&closer->wanted, &closer->lock);
		if (closer->n == 0)
			break;
		item = closer->ring[closer->first];
		closer->first = (closer->first + 1) % LIMIT_CLOSER_QUEUE;
		closer->n--;
		(void)pthread_mutex_unlock(&closer->lock);
		if (item.is_connection)
			close_connection(item.fd);
		else
			close_received(item.fd);
		(void)pthread_mutex_lock(&closer->lock);
	}
	(void)pthread_mutex_unlock(&closer->lock);
	return NULL;
}

/* Whether the thread has ended. One that hangs in a hostile close() keeps its memory: the process is about to end. */
static bool join(struct closer *closer)
{
	struct timespec limit;

	(void)clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += JOIN_SECONDS;
	if (pthread_timedjoin_np(closer->thread, NULL, &limit) == 0)
		return true;
	(void)pthread_detach(closer->thread);
	return false;
}

struct closer *closer_free(struct closer *closer)
{
	if (!closer)
		return NULL;
	(void)pthread_mutex_lock(&closer->lock);
	closer->stop = true;
	(void)pthread_cond_signal(&closer->wanted);
	(void)pthread_mutex_unlock(&closer->lock);
	if (closer->has_thread && !join(closer))
		return NULL;
	for (; closer->n > 0; closer->n--) {
		(void)close(closer->ring[closer->first].fd);
		closer->first = (closer->first + 1) % LIMIT_CLOSER_QUEUE;
	}
	(void)pthread_cond_destroy(&closer->wanted);
	(void)pthread_mutex_destroy(&closer->lock);
	free(closer);
	return NULL;
}

/* Signals belong to the loop: the thread is born with all of them blocked. */
static void start_thread(struct closer *closer)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	closer->has_thread = pthread_create(&closer->thread, NULL, run, closer) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Also the next try where no thread could be had: without one a full queue would stay full, and nobody would add to it. */
size_t closer_get_room(struct closer *closer)
{
	size_t room;

	if (!closer->has_thread && closer->n > 0)
		start_thread(closer);
	(void)pthread_mutex_lock(&closer->lock);
	room = LIMIT_CLOSER_QUEUE - closer->n;
	(void)pthread_mutex_unlock(&closer->lock);
	return room;
}

static void add(struct closer *closer, struct item item)
{
	if (!closer->has_thread)
		start_thread(closer); /* when that fails the descriptor waits for the next try */
	(void)pthread_mutex_lock(&closer->lock);
	assert(closer->n < LIMIT_CLOSER_QUEUE);
	closer->ring[(closer->first + closer->n) % LIMIT_CLOSER_QUEUE] = item;
	closer->n++;
	(void)pthread_cond_signal(&closer->wanted);
	(void)pthread_mutex_unlock(&closer->lock);
}

void closer_adopt(struct closer *closer, int fd)
{
	add(closer, (struct item){ fd, false });
}

void closer_adopt_connection(struct closer *closer, int fd)
{
	(void)shutdown(
		fd, SHUT_RDWR); /* the client sees the end now, and nothing follows what is there */
	add(closer, (struct item){ fd, true });
}
