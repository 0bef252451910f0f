#include "base/random.h"

#include "base/span.h"

#include <assert.h>

/* ChaCha20 (RFC 8439 section 2.3) with the same key, a nonce of zero and counters 0 to 7: eight blocks side
 * by side, one in each lane, so that the compiler makes vector instructions of plain arithmetic. */
#define LANES 8
#define BLOCK 64

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

#define ROTATE(v, n) ((v) << (n) | (v) >> (32 - (n)))
#define QUARTER(a, b, c, d)                                                                                            \
    do {                                                                                                               \
        a += b, d ^= a, d = ROTATE(d, 16);                                                                             \
        c += d, b ^= c, b = ROTATE(b, 12);                                                                             \
        a += b, d ^= a, d = ROTATE(d, 8);                                                                              \
        c += d, b ^= c, b = ROTATE(b, 7);                                                                              \
    } while (0)

static uint32_t load32_little(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32_little(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static void chacha20(const uint8_t key[32], uint8_t out[LANES * BLOCK])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
    lanes start[16] = {0};
    for (int i = 0; i < 4; i++)
        start[i] += constants[i];
    for (int i = 0; i < 8; i++)
        start[4 + i] += load32_little(key + 4 * i);
    start[12] = (lanes){0, 1, 2, 3, 4, 5, 6, 7};

    lanes x[16];
    memcpy(x, start, sizeof x);
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int word = 0; word < 16; word++) {
        lanes sum = x[word] + start[word];
        for (int block = 0; block < LANES; block++)
            store32_little(out + block * BLOCK + 4 * word, sum[block]);
    }
}

/* Fast key erasure: the first bytes of each pool become the next key, so that nobody who reads the state
 * can tell what was drawn before. */
static void refill(rt_random *random)
{
    static_assert(sizeof random->pool == LANES * BLOCK, "the pool is one run of the cipher");
    chacha20(random->key, random->pool);
    memcpy(random->key, random->pool, sizeof random->key);
    memset(random->pool, 0, sizeof random->key);
    random->left = sizeof random->pool - sizeof random->key;
}

void rt_random_init(rt_random *random, const uint8_t seed[RT_RANDOM_SEED])
{
    memset(random, 0, sizeof *random);
    memcpy(random->key, seed, RT_RANDOM_SEED);
}

void rt_random_init_number(rt_random *random, uint64_t number)
{
    uint8_t seed[RT_RANDOM_SEED] = {0};
    store32_little(seed, (uint32_t)number);
    store32_little(seed + 4, (uint32_t)(number >> 32));
    rt_random_init(random, seed);
}

void rt_random_fill(rt_random *random, void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        if (random->left == 0)
            refill(random);
        size_t part = size < random->left ? size : random->left;
        uint8_t *from = random->pool + sizeof random->pool - random->left;
        memcpy(at, from, part);
        memset(from, 0, part);
        random->left -= part;
        at += part;
        size -= part;
    }
}

uint32_t rt_random32(rt_random *random)
{
    uint8_t bytes[4];
    if (random->left < sizeof bytes) {
        rt_random_fill(random, bytes, sizeof bytes);
        return load32_little(bytes);
    }
    uint8_t *from = random->pool + sizeof random->pool - random->left;
    uint32_t value = load32_little(from);
    memset(from, 0, sizeof bytes);
    random->left -= sizeof bytes;
    return value;
}

uint64_t rt_random64(rt_random *random)
{
    uint64_t low = rt_random32(random);
    return (uint64_t)rt_random32(random) << 32 | low;
}

uint32_t rt_random_below(rt_random *random, uint32_t bound)
{
    /* The high half of a 32 x 32 product; products whose low half is below 2^32 mod bound would make some
     * results likelier than others and are drawn again. */
    assert(bound > 0);
    uint32_t unfair = (uint32_t)-bound % bound;
    for (;;) {
        uint64_t product = (uint64_t)rt_random32(random) * bound;
        if ((uint32_t)product >= unfair)
            return (uint32_t)(product >> 32);
    }
}

void rt_random_text(rt_random *random, char *out, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    rt_random_fill(random, out, size);
    for (size_t i = 0; i < size; i++)
        out[i] = alphabet[(uint8_t)out[i] & 63];
}
