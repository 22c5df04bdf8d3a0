/* SPDX-License-Identifier: MIT */
#include "protocol/error.h"

#include <errno.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct {
	int number;
	const char *varlink_name;
	int exit_code;
	const char *text;
} outcomes[] = {
#define X(constant, number, interface, name, exit_code, text) \
	{ number, interface "." name, exit_code, text },
#include "protocol/errors.def"
#undef X
};

START_TEST(every_outcome_round_trips_through_its_name)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		const char *name = error_varlink_name(-outcomes[i].number);

		ck_assert_ptr_nonnull(name);
		ck_assert_str_eq(name, outcomes[i].varlink_name);
		ck_assert_int_eq(error_from_varlink_name(name), -outcomes[i].number);
		ck_assert_str_eq(error_text(-outcomes[i].number), outcomes[i].text);
		ck_assert_int_eq(error_exit_code(-outcomes[i].number), outcomes[i].exit_code);
	}
}
END_TEST

START_TEST(numbers_and_names_are_unique_and_no_errno)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		ck_assert_int_gt(outcomes[i].number, 4095);
		ck_assert_int_ge(outcomes[i].exit_code, 1);
		ck_assert_int_le(outcomes[i].exit_code, 8);
		ck_assert_str_ne(outcomes[i].text, "");
		for (size_t j = 0; j < i; j++) {
			ck_assert_int_ne(outcomes[i].number, outcomes[j].number);
			ck_assert_str_ne(outcomes[i].varlink_name, outcomes[j].varlink_name);
		}
	}
}
END_TEST

START_TEST(errno_names_round_trip)
{
	static const int known[] = { EPERM,	   ENOENT,	 EINTR,	      EACCES,
				     EINVAL,	   EMFILE,	 EPIPE,	      ENOBUFS,
				     EADDRINUSE,   ENETDOWN,	 ENETUNREACH, ECONNRESET,
				     ECONNREFUSED, EHOSTUNREACH, EINPROGRESS, ETIMEDOUT,
				     EHOSTDOWN,	   ENOMEM };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		ck_assert_int_eq(error_errno_from_name(error_errno_name(-known[i])), -known[i]);
	/* And all the others that the system has a name for. */
	for (int number = 1; number < 200; number++) {
		const char *name = error_errno_name(-number);

		if (strcmp(name, "EUNKNOWN") == 0)
			continue;
		ck_assert_int_eq(error_errno_from_name(name), -number);
		n++;
	}
	ck_assert_uint_gt(n, 100);
	ck_assert_str_eq(error_errno_name(-ECONNREFUSED), "ECONNREFUSED");
}
END_TEST

START_TEST(what_is_no_error_has_no_name)
{
	static const int others[] = { 0,     1,	    ECONNREFUSED, -ECONNREFUSED, -4095,
				      -4096, -5000, -999999,	  5001 };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ck_assert_ptr_null(error_varlink_name(others[i]));
		ck_assert_ptr_nonnull(error_text(others[i]));
	}
	ck_assert_str_eq(error_errno_name(0), "EUNKNOWN");
	ck_assert_str_eq(error_errno_name(ECONNREFUSED), "EUNKNOWN");
	ck_assert_str_eq(error_errno_name(-4000), "EUNKNOWN");
	ck_assert_str_eq(error_errno_name(-5001), "EUNKNOWN");
	ck_assert_int_eq(error_errno_from_name("EUNKNOWN"), 0);
	ck_assert_int_eq(error_errno_from_name("econnrefused"), 0);
	ck_assert_int_eq(error_errno_from_name(""), 0);
	ck_assert_int_eq(error_from_varlink_name(""), 0);
	ck_assert_int_eq(error_from_varlink_name("org.asockd.Connector."), 0);
	ck_assert_int_eq(error_from_varlink_name("TimedOut"), 0);
	ck_assert_int_eq(error_from_varlink_name("org.asockd.Connector.timedout"), 0);
}
END_TEST

START_TEST(exit_codes_tell_the_daemon_out_of_reach_from_a_failed_call)
{
	ck_assert_int_eq(error_exit_code(0), 0);
	ck_assert_int_eq(error_exit_code(-EINVAL), 1);
	ck_assert_int_eq(error_exit_code(-ETIMEDOUT), 4);
	ck_assert_int_eq(error_exit_code(-ECONNREFUSED), 7);
	ck_assert_int_eq(error_exit_code(-ENOENT), 7);
	ck_assert_int_eq(error_exit_code(-EACCES), 7);
	ck_assert_int_eq(error_exit_code(-EPIPE), 7);
	ck_assert_int_eq(error_exit_code(-ENOMEM), 5);
	ck_assert_int_eq(error_exit_code(-ASOCK_E_TIMED_OUT), 4);
	ck_assert_int_eq(error_exit_code(-ASOCK_E_DENIED), 8);
	ck_assert_int_eq(error_exit_code(-ASOCK_E_NAME_NOT_FOUND), 2);
	ck_assert_int_eq(error_exit_code(-ASOCK_E_NO_DATA), 3);
	ck_assert_int_eq(error_exit_code(-ASOCK_E_SERVICE_UNAVAILABLE), 3);
}
END_TEST

SUITE_MAIN("error", every_outcome_round_trips_through_its_name,
	   numbers_and_names_are_unique_and_no_errno, errno_names_round_trip,
	   what_is_no_error_has_no_name, exit_codes_tell_the_daemon_out_of_reach_from_a_failed_call)
