/* SPDX-License-Identifier: MIT */
/*
 * What it costs to ask and to tell connect/history, with few entries and with as many as there may be; and what a question
 * to the kernel costs (connect/tcp-metrics). Times are those of the thread, but for the slowest call, which is by the clock.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/connect/history.h"
#include "daemon/connect/tcp-metrics.h"

#define N_CALLS 2000000U

static uint64_t read_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct history_key key_number(uint32_t number)
{
	struct history_key key = { .network = 1,
				   .transport = TRANSPORT_TCP,
				   .endpoint = { .address = { .family = AF_INET6 }, .port = 443 },
				   .charged_to = 1000 + number % 16 };

	memcpy(key.endpoint.address.bytes, &number, sizeof(number));
	return key;
}

/* Some order in which each number below n has its turn. */
static uint32_t step(uint32_t i, uint32_t n)
{
	return (uint32_t)((uint64_t)i * 2654435761U % n);
}

static void report(const char *what, uint64_t began_ns, uint32_t n)
{
	uint64_t spent_ns = read_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;

	printf("  %-42s %6.0f ns  %5.1f million/s\n", what, (double)spent_ns / n,
	       1000.0 * n / (double)spent_ns);
}

static void have_attempt(struct history *history, uint64_t now_us, const struct history_key *key)
{
	history_on_start(history, now_us, key);
	history_on_connected(history, now_us, key, 1000, 20000, 0);
}

static void fill(struct history *history, uint32_t n)
{
	uint64_t slowest_ns = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct history_key key = key_number(i);
		uint64_t began_ns = read_ns(CLOCK_MONOTONIC), spent_ns;

		history_on_start(history, 1, &key);
		history_on_connected(history, 1, &key, HISTORY_NOBODY, 20000, 0);
		spent_ns = read_ns(CLOCK_MONOTONIC) - began_ns;
		if (spent_ns > slowest_ns)
			slowest_ns = spent_ns;
	}
	printf("  slowest new entry %.0f us\n", (double)slowest_ns / 1000);
}

static void measure(uint32_t n)
{
	struct history *history = NULL;
	size_t before = mallinfo2().uordblks;
	struct addrsort_past past;
	uint64_t began_ns;

	if (history_new(&history, 0) < 0)
		exit(1);
	printf("%u entries\n", n);
	fill(history, n);
	printf("  octets an entry %zu\n", (mallinfo2().uordblks - before) / n);
	began_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < N_CALLS; i++) {
		struct history_key key = key_number(step(i, n));

		history_look(history, 2, &key, 1000, &past);
	}
	report("look", began_ns, N_CALLS);
	began_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < N_CALLS; i++) {
		struct history_key key = key_number(n + step(i, n));

		history_look(history, 2, &key, 1000, &past);
	}
	report("look, nothing is known", began_ns, N_CALLS);
	began_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < N_CALLS; i++) {
		struct history_key key = key_number(step(i, n));

		have_attempt(history, 2, &key);
	}
	report("an attempt's beginning and end", began_ns, N_CALLS);
	began_ns = read_ns(CLOCK_MONOTONIC);
	(void)history_flush(history);
	printf("  flush %.1f ms\n", (double)(read_ns(CLOCK_MONOTONIC) - began_ns) / 1e6);
	(void)history_free(history);
}

static void measure_kernel(void)
{
	struct address address = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	struct tcp_metrics *metrics = NULL;
	uint32_t rtt_us, rttvar_us;
	uint64_t began_ns;

	if (tcp_metrics_new(&metrics) < 0)
		exit(1);
	began_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < N_CALLS / 10; i++)
		(void)tcp_metrics_find(metrics, &address, &rtt_us, &rttvar_us);
	printf("the kernel's metrics\n");
	report("find, nothing is known", began_ns, N_CALLS / 10);
	(void)tcp_metrics_free(metrics);
}

int main(void)
{
	measure(1000);
	measure(65000);
	measure_kernel();
	return 0;
}
