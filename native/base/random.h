/* Injected randomness: a cryptographic generator that its owner seeds (ChaCha20, fast key erasure).
 *
 * The owner of a machine seeds it once from the operating system (io/) or, in a test, from a number.
 * Machines borrow a pointer and draw as they need; no system call, some 6 ns per drawn word. One thread at a
 * time. The same seed gives the same bytes for ever.
 */
#ifndef RT_BASE_RANDOM_H
#define RT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RT_RANDOM_SEED 32

typedef struct rt_random {
    uint8_t key[RT_RANDOM_SEED];
    uint8_t pool[512]; /* bytes drawn ahead; the used ones are zeroed */
    size_t left;
} rt_random;

void rt_random_init(rt_random *random, const uint8_t seed[RT_RANDOM_SEED]);
void rt_random_init_number(rt_random *random, uint64_t number); /* for tests */
void rt_random_fill(rt_random *random, void *out, size_t size);
uint32_t rt_random32(rt_random *random);
uint64_t rt_random64(rt_random *random);
/* Evenly in [0, bound), bound > 0. */
uint32_t rt_random_below(rt_random *random, uint32_t bound);
/* `size` characters of the ICE alphabet (RFC 8839: A-Z a-z 0-9 + /), not terminated: 6 bits each. */
void rt_random_text(rt_random *random, char *out, size_t size);

#endif
