/* SPDX-License-Identifier: MIT */
/*
 * A wire between two network namespaces that holds, loses, refuses and logs what goes over it: what tests of races need.
 * It needs no control over what it does, since that is written in the addresses (tunwire_packet.h).
 *
 *	tunwire CLIENT-NAMESPACE SERVER-NAMESPACE LOG
 *
 * The first two are files as /run/netns/NAME. In each it makes the TUN device "wire0" and prints "ready" when both are
 * there. Then it answers each line "sync" with "ok LOST" as soon as the log has all that has passed; LOST: packets that
 * the log misses, and packets that did not fit the queue. The end of its input ends it.
 *
 * The log is what a packet socket in the client's namespace sees, with the kernel's time stamps, in microseconds of the
 * monotonic clock; so it does not depend on when the wire gets to read a packet. One line each; ">" leaves the client:
 *
 *	TIME > syn SOURCE PORT DESTINATION PORT SEQUENCE NTH      NTH: 1 for the first of a flow
 *	TIME < synack|rst|fin|data|ack SOURCE PORT DESTINATION PORT SEQUENCE LENGTH
 *	TIME > query SOURCE PORT DESTINATION PORT ID TYPE NAME
 *	TIME < answer SOURCE PORT DESTINATION PORT ID TYPE NAME RCODE ANSWERS TRUNCATED
 *	TIME < icmp SOURCE 0 DESTINATION-OF-THE-QUOTED PORT TYPE CODE
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "protocol/address.h"
#include "protocol/cleanup.h"
#include "tests/scenarios/tunwire_packet.h"

#define DEVICE	       "wire0"
#define MAX_HELD       65536
#define PACKETS_A_TURN 64
#define N_FLOWS	       65536
#define CAPTURE_BYTES  (32 * 1024 * 1024)
#define COMMAND_BYTES  256
#define ICMP_HEADER    8
#define DNS_PORT       53
#define USEC_PER_SEC   UINT64_C(1000000)

/* A packet on its way. */
struct held {
	uint64_t when_us, number; /* number: those of one time stay in order */
	int to;			  /* a tun */
	size_t len;
	uint8_t bytes[];
};

/* SYNs of a flow, told apart by the initial sequence number: ports are used again soon. */
struct flow {
	uint64_t hash;
	unsigned int n;
};

static struct held *heap[MAX_HELD]; /* owned; the next one first */
static size_t n_held;
static uint64_t n_numbered, n_lost;
static struct flow carried[N_FLOWS], logged[N_FLOWS];
static int client_tun = -1, server_tun = -1, capture = -1, timer = -1;
static FILE *log_file;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t get_time_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* FNV-1a. Two flows of one slot forget each other, which 65536 make rare enough. */
static uint64_t hash_flow(const struct packet *packet)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	uint8_t key[2 * sizeof(packet->source.bytes) + 8];

	memcpy(key, packet->source.bytes, sizeof(packet->source.bytes));
	memcpy(key + sizeof(packet->source.bytes), packet->destination.bytes,
	       sizeof(packet->destination.bytes));
	memcpy(key + sizeof(key) - 8, &packet->sequence, 4);
	memcpy(key + sizeof(key) - 4, &packet->source_port, 2);
	memcpy(key + sizeof(key) - 2, &packet->destination_port, 2);
	for (size_t i = 0; i < sizeof(key); i++)
		hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* How many times this SYN was seen, this one among them. */
static unsigned int count_syn(struct flow *flows, const struct packet *packet)
{
	uint64_t hash = hash_flow(packet);
	struct flow *flow = &flows[hash % N_FLOWS];

	if (flow->hash != hash)
		*flow = (struct flow){ hash, 0 };
	return ++flow->n;
}

/* The queue */

static bool is_before(const struct held *a, const struct held *b)
{
	return a->when_us != b->when_us ? a->when_us < b->when_us : a->number < b->number;
}

static void swap(size_t i, size_t j)
{
	struct held *held = heap[i];

	heap[i] = heap[j];
	heap[j] = held;
}

static void arm_timer(void)
{
	struct itimerspec when = { .it_value = { 0, 0 } };

	if (n_held > 0) {
		when.it_value.tv_sec = (time_t)(heap[0]->when_us / USEC_PER_SEC);
		when.it_value.tv_nsec = (long)(heap[0]->when_us % USEC_PER_SEC) * 1000;
	}
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		die("timerfd_settime");
}

static void hold(int to, const uint8_t *bytes, size_t len, uint64_t delay_us)
{
	struct held *held;
	size_t i = n_held;

	if (n_held == MAX_HELD) {
		n_lost++;
		return;
	}
	held = malloc(sizeof(*held) + len);
	if (!held)
		die("malloc");
	held->when_us = get_time_us(CLOCK_MONOTONIC) + delay_us;
	held->number = n_numbered++;
	held->to = to;
	held->len = len;
	memcpy(held->bytes, bytes, len);
	heap[n_held++] = held;
	for (; i > 0 && is_before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
	if (heap[0] == held)
		arm_timer();
}

static struct held *take_first(void)
{
	struct held *first = heap[0];
	size_t i = 0;

	heap[0] = heap[--n_held];
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n_held; child++)
			if (is_before(heap[child], heap[least]))
				least = child;
		if (least == i)
			return first;
		swap(i, least);
		i = least;
	}
}

/* A packet that the other side does not take, since its interface is down for a moment, is lost, as on any wire. */
static void carry(int to, const uint8_t *bytes, size_t len)
{
	if (write(to, bytes, len) < 0 && errno != EIO && errno != EAGAIN && errno != ENOBUFS &&
	    errno != EINVAL)
		die("write to the tun");
}

static void on_timer(void)
{
	uint64_t expirations;

	if (read(timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		die("timerfd");
	while (n_held > 0 && heap[0]->when_us <= get_time_us(CLOCK_MONOTONIC)) {
		struct held *held = take_first();

		carry(held->to, held->bytes, held->len);
		free(held);
	}
	arm_timer();
}

/* What goes over it */

static bool is_syn(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP &&
	       (packet->flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN;
}

static bool is_syn_ack(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP &&
	       (packet->flags & (PACKET_SYN | PACKET_ACK)) == (PACKET_SYN | PACKET_ACK);
}

static void from_client(const uint8_t *bytes, size_t len, const struct packet *packet)
{
	struct packet_fate fate = packet_find_fate(&packet->destination);
	uint8_t answer[PACKET_BYTES];
	size_t n = 0;

	switch (fate.action) {
	case PACKET_PASS:
	case PACKET_HALF:
		carry(server_tun, bytes, len);
		return;
	case PACKET_LOSE_FIRST:
		if (!is_syn(packet) || count_syn(carried, packet) > 1)
			carry(server_tun, bytes, len);
		return;
	case PACKET_DROP:
		return;
	case PACKET_RESET:
	case PACKET_NO_ROUTE:
	case PACKET_PROHIBITED:
	case PACKET_UNREACHABLE:
		if (is_syn(packet))
			n = packet_answer(bytes, len, packet, fate.action, answer);
		if (n > 0 && fate.delay_us > 0)
			hold(client_tun, answer, n, fate.delay_us);
		else if (n > 0)
			carry(client_tun, answer, n);
		return;
	}
}

static void from_server(const uint8_t *bytes, size_t len, const struct packet *packet)
{
	struct packet_fate fate = packet_find_fate(&packet->source);

	if (fate.action == PACKET_HALF && !is_syn_ack(packet))
		return;
	if (fate.delay_us > 0)
		hold(client_tun, bytes, len, fate.delay_us);
	else
		carry(client_tun, bytes, len);
}

static void on_tun(int tun)
{
	for (size_t i = 0; i < PACKETS_A_TURN; i++) {
		uint8_t bytes[PACKET_BYTES];
		ssize_t n = read(tun, bytes, sizeof(bytes));
		struct packet packet;

		if (n < 0) {
			if (errno == EAGAIN || errno == EIO)
				return;
			die("read from the tun");
		}
		/* What is no TCP, UDP or ICMP is of the kernel's own making, as router solicitations are. */
		if (packet_parse(bytes, (size_t)n, &packet) < 0)
			continue;
		if (tun == client_tun)
			from_client(bytes, (size_t)n, &packet);
		else
			from_server(bytes, (size_t)n, &packet);
	}
}

/* The log */

static void log_start(uint64_t when_us, bool leaves, const char *kind, const struct packet *packet)
{
	char source[ADDRESS_TEXT_SIZE], destination[ADDRESS_TEXT_SIZE];

	(void)fprintf(log_file, "%llu %c %s %s %u %s %u", (unsigned long long)when_us,
		      leaves ? '>' : '<', kind,
		      address_format(&packet->source, source, sizeof(source)), packet->source_port,
		      address_format(&packet->destination, destination, sizeof(destination)),
		      packet->destination_port);
}

static void log_tcp(uint64_t when_us, bool leaves, const struct packet *packet)
{
	const char *kind = packet->data_len > 0 ? "data" : "ack";

	if (packet->flags & PACKET_RST)
		kind = "rst";
	else if (packet->flags & PACKET_SYN)
		kind = packet->flags & PACKET_ACK ? "synack" : "syn";
	else if (packet->flags & PACKET_FIN)
		kind = "fin";
	log_start(when_us, leaves, kind, packet);
	(void)fprintf(log_file, " %u %zu\n", packet->sequence,
		      is_syn(packet) ? count_syn(logged, packet) : packet->data_len);
}

static void log_dns(uint64_t when_us, bool leaves, const struct packet *packet)
{
	struct packet_dns dns;

	if (packet_parse_dns(packet, &dns) < 0)
		return;
	log_start(when_us, leaves, dns.is_answer ? "answer" : "query", packet);
	(void)fprintf(log_file, " %u %u %s", dns.id, dns.type, dns.name);
	if (dns.is_answer)
		(void)fprintf(log_file, " %u %u %d", dns.rcode, dns.n_answers, dns.is_truncated);
	(void)fputc('\n', log_file);
}

static void log_icmp(uint64_t when_us, bool leaves, const struct packet *packet)
{
	const uint8_t *icmp = packet->payload;
	struct packet quoted, told = *packet;

	if (packet->payload_len < ICMP_HEADER ||
	    packet_parse(icmp + ICMP_HEADER, packet->payload_len - ICMP_HEADER, &quoted) < 0)
		return;
	told.destination = quoted.destination;
	told.destination_port = quoted.destination_port;
	log_start(when_us, leaves, "icmp", &told);
	(void)fprintf(log_file, " %u %u\n", icmp[0], icmp[1]);
}

static void log_packet(uint64_t when_us, bool leaves, const uint8_t *bytes, size_t len)
{
	struct packet packet;

	if (packet_parse(bytes, len, &packet) < 0)
		return;
	if (packet.protocol == IPPROTO_TCP)
		log_tcp(when_us, leaves, &packet);
	else if (packet.protocol == IPPROTO_UDP &&
		 (leaves ? packet.destination_port : packet.source_port) == DNS_PORT)
		log_dns(when_us, leaves, &packet);
	else if (packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6)
		log_icmp(when_us, leaves, &packet);
}

/* The kernel's time stamp, which is of the clock of the day, as one of the monotonic clock. */
static uint64_t find_stamp_us(struct msghdr *message)
{
	uint64_t now_us = get_time_us(CLOCK_MONOTONIC), day_us = get_time_us(CLOCK_REALTIME);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct timespec stamp;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
		return now_us - day_us + (uint64_t)stamp.tv_sec * USEC_PER_SEC +
		       (uint64_t)stamp.tv_nsec / 1000;
	}
	return now_us;
}

/* false: there is nothing more. */
static bool log_next(void)
{
	uint8_t bytes[PACKET_BYTES];
	union {
		struct cmsghdr header;
		uint8_t room[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct sockaddr_ll from;
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(capture, &message, MSG_DONTWAIT);

	if (n < 0) {
		if (errno != EAGAIN && errno != ENETDOWN)
			die("packet socket");
		return false;
	}
	log_packet(find_stamp_us(&message), from.sll_pkttype == PACKET_OUTGOING, bytes, (size_t)n);
	return true;
}

static void on_capture(void)
{
	for (size_t i = 0; i < PACKETS_A_TURN && log_next(); i++)
		;
}

static void sync_log(void)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	while (log_next())
		;
	(void)fflush(log_file);
	if (getsockopt(capture, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0)
		die("PACKET_STATISTICS");
	n_lost += stats.tp_drops;
	(void)printf("ok %llu\n", (unsigned long long)n_lost);
	(void)fflush(stdout);
}

static void on_commands(void)
{
	static char buffer[COMMAND_BYTES];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, buffer + len, sizeof(buffer) - len);
	char *end;

	if (n <= 0)
		exit(EXIT_SUCCESS);
	len += (size_t)n;
	for (end = memchr(buffer, '\n', len); end; end = memchr(buffer, '\n', len)) {
		sync_log();
		len -= (size_t)(end + 1 - buffer);
		memmove(buffer, end + 1, len);
	}
}

/* Making it */

static void enter(const char *namespace)
{
	CLEANUP(fd_closep) int fd = open(namespace, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(namespace);
}

static int open_tun(const char *namespace)
{
	struct ifreq request = { .ifr_name = DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd;

	enter(namespace);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die("/dev/net/tun");
	return fd;
}

static int open_capture(const char *namespace)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int on = 1, bytes = CAPTURE_BYTES;
	int fd;

	enter(namespace);
	address.sll_ifindex = (int)if_nametoindex(DEVICE);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("packet socket");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void on_event(int fd)
{
	if (fd == timer)
		on_timer();
	else if (fd == capture)
		on_capture();
	else if (fd == STDIN_FILENO)
		on_commands();
	else
		on_tun(fd);
}

int main(int argc, char **argv)
{
	struct sched_param urgent = { .sched_priority = 1 };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 4)
		return 2;
	log_file = fopen(argv[3], "we");
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epoll < 0 || timer < 0 || !log_file)
		die("start");
	server_tun = open_tun(argv[2]);
	client_tun = open_tun(argv[1]);
	capture = open_capture(argv[1]);
	watch(epoll, client_tun);
	watch(epoll, server_tun);
	watch(epoll, timer);
	watch(epoll, capture);
	watch(epoll, STDIN_FILENO);
	/* On a busy machine the wire is no part of what is measured. Where this is not allowed it works as well, less exactly. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	(void)sched_setscheduler(0, SCHED_FIFO, &urgent);
	(void)printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(epoll, &event, 1, -1) == 1)
			on_event(event.data.fd);
		else if (errno != EINTR)
			die("epoll_wait");
	}
}
