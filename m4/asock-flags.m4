# SPDX-License-Identifier: MIT
#
# ASOCK_FLAGS: warnings, hardening, --enable-werror, --enable-sanitizers[=LIST], --enable-fuzzing.
# Each flag is tried before it is used; the user's CFLAGS are never edited. Results are substituted as
# ASOCK_CFLAGS, ASOCK_LDFLAGS (programs and libraries), ASOCK_PROGRAM_CFLAGS, ASOCK_PROGRAM_LDFLAGS (PIE)
# and ASOCK_FUZZ_LDFLAGS.

# ASOCK_TRY_CFLAGS(VARIABLE, FLAG…): appends those that the compiler takes.
AC_DEFUN([ASOCK_TRY_CFLAGS], [
	for asock_flag in $2; do
		AC_MSG_CHECKING([whether $CC takes $asock_flag])
		asock_saved=$CFLAGS
		CFLAGS="$CFLAGS -Werror $asock_flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
			[$1="$$1 $asock_flag"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
		CFLAGS=$asock_saved
	done
])

# ASOCK_TRY_LDFLAGS(VARIABLE, FLAG…): appends those that link.
AC_DEFUN([ASOCK_TRY_LDFLAGS], [
	for asock_flag in $2; do
		AC_MSG_CHECKING([whether $CC links with $asock_flag])
		asock_saved=$LDFLAGS
		LDFLAGS="$LDFLAGS -Werror $asock_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()],
			[$1="$$1 $asock_flag"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
		LDFLAGS=$asock_saved
	done
])

AC_DEFUN([ASOCK_FLAGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make warnings errors])],
		[asock_werror=$enableval], [asock_werror=no])
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [build without hardening flags])],
		[asock_hardening=$enableval], [asock_hardening=yes])
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
			[build with these sanitizers (default address,undefined); turns hardening off])],
		[asock_sanitizers=$enableval], [asock_sanitizers=no])
	AC_ARG_ENABLE([fuzzing],
		[AS_HELP_STRING([--enable-fuzzing], [link the fuzzers with libFuzzer; needs clang])],
		[asock_fuzzing=$enableval], [asock_fuzzing=no])
	AS_IF([test "$asock_fuzzing" = yes && test "$asock_sanitizers" = no], [asock_sanitizers=yes])
	AS_IF([test "$asock_sanitizers" = yes], [asock_sanitizers=address,undefined])
	AS_IF([test "$asock_sanitizers" != no], [asock_hardening="no (sanitizers)"])

	ASOCK_CFLAGS= ASOCK_LDFLAGS= ASOCK_PROGRAM_CFLAGS= ASOCK_PROGRAM_LDFLAGS= ASOCK_FUZZ_LDFLAGS=
	ASOCK_TRY_CFLAGS([ASOCK_CFLAGS], [-Wall -Wextra -Wshadow -Wformat=2 -Wconversion -Wsign-conversion -Wcast-qual -Wvla \
		-Wundef -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
		-Wdeclaration-after-statement -Wimplicit-fallthrough -Wduplicated-cond -Wlogical-op])
	AS_IF([test "$asock_werror" = yes], [AS_VAR_APPEND([ASOCK_CFLAGS], [" -Werror"])])

	AS_IF([test "$asock_sanitizers" != no], [
		AS_VAR_APPEND([ASOCK_CFLAGS],
			[" -fsanitize=$asock_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"])
		AS_VAR_APPEND([ASOCK_LDFLAGS], [" -fsanitize=$asock_sanitizers"])
	])
	AS_IF([test "$asock_hardening" = yes], [
		ASOCK_TRY_CFLAGS([ASOCK_CFLAGS], [-fstack-protector-strong -fstack-clash-protection -fcf-protection])
		# _FORTIFY_SOURCE needs optimisation and must not contradict a level the user chose.
		AS_CASE([" $CPPFLAGS $CFLAGS "],
			[*_FORTIFY_SOURCE*], [],
			[*" -O0 "*], [],
			[AS_VAR_APPEND([ASOCK_CFLAGS], [" -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])])
		ASOCK_TRY_LDFLAGS([ASOCK_LDFLAGS], [[-Wl,-z,relro -Wl,-z,now]])
		ASOCK_PROGRAM_CFLAGS=-fPIE
		ASOCK_TRY_LDFLAGS([ASOCK_PROGRAM_LDFLAGS], [-pie])
	])
	AS_IF([test "$asock_fuzzing" = yes], [
		ASOCK_TRY_CFLAGS([ASOCK_CFLAGS], [-fsanitize=fuzzer-no-link])
		AC_MSG_CHECKING([for libFuzzer])
		asock_saved=$CFLAGS
		CFLAGS="$CFLAGS -fsanitize=fuzzer"
		AC_LINK_IFELSE([AC_LANG_SOURCE([[
			#include <stddef.h>
			#include <stdint.h>
			int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
			int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { (void)data; return size > 9; }
			]])], [AC_MSG_RESULT([yes])], [AC_MSG_ERROR([--enable-fuzzing needs clang and its libFuzzer: try CC=clang])])
		CFLAGS=$asock_saved
		ASOCK_FUZZ_LDFLAGS=-fsanitize=fuzzer
	])
	AM_CONDITIONAL([FUZZING], [test "$asock_fuzzing" = yes])
	AC_SUBST([ASOCK_CFLAGS])
	AC_SUBST([ASOCK_LDFLAGS])
	AC_SUBST([ASOCK_PROGRAM_CFLAGS])
	AC_SUBST([ASOCK_PROGRAM_LDFLAGS])
	AC_SUBST([ASOCK_FUZZ_LDFLAGS])
])
