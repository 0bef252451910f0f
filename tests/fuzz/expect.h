/* What holds for any input: expect(condition). One that does not is a crash, with its place, for libFuzzer to keep. */
#ifndef RT_TESTS_EXPECT_H
#define RT_TESTS_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#define expect(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition);                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
