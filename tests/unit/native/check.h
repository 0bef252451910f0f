/* The smallest test kit that tells what went wrong: CHECK(condition), CHECK_EQ(a, b), RUN(test).
 *
 * A failed check prints the place and both values and ends the program with status 1. A test program's
 * main() runs its tests by name; with an argument, only those whose name contains it. It closes with the
 * line "N passed".
 */
#ifndef RT_TESTS_CHECK_H
#define RT_TESTS_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition);                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long check_a = (long long)(a), check_b = (long long)(b);                                                  \
        if (check_a != check_b) {                                                                                      \
            fprintf(stderr, "%s:%d: %s: %s is %lld, %s is %lld\n", __FILE__, __LINE__, __func__, #a, check_a, #b,      \
                    check_b);                                                                                          \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_BYTES(a, b, size) CHECK(memcmp((a), (b), (size)) == 0)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        if (argc < 2 || strstr(#test, argv[1])) {                                                                      \
            test();                                                                                                    \
            check_passed++;                                                                                            \
        }                                                                                                              \
    } while (0)

#define CHECK_MAIN_END                                                                                                 \
    printf("%d passed\n", check_passed);                                                                               \
    return 0

static int check_passed;

#endif
