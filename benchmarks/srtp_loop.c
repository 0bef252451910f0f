/* What libsrtp costs without anybody around it: its functions in a loop, for bench_srtp.py. */
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef int transform(void *session, void *packet, int *size);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Transforms `count` packets in place, each in its slot; returns the seconds that it took, or -1. */
double run(transform *function, void *session, uint8_t *memory, int slot, int count, int32_t *sizes)
{
    double begin = now();
    for (int i = 0; i < count; i++) {
        if (function(session, memory + (size_t)i * (size_t)slot, &sizes[i]) != 0)
            return -1;
    }
    return now() - begin;
}
