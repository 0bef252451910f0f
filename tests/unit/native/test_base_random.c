/* base/random: ChaCha20 against RFC 8439, fast key erasure, fairness. */
#include "base/random.h"
#include "check.h"

/* RFC 8439 appendix A.1: test vectors 1 and 2 are blocks 0 and 1 of the key of zeros. The first 32 bytes
 * become the next key and are never handed out. */
static void test_chacha20_vector(void)
{
    static const uint8_t expected[96] = {
        0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37,
        0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
        0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d,
        0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e, 0x32, 0xee, 0x7a, 0xed,
        0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5,
        0x31, 0xed, 0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f,
    };
    static const uint8_t next_key[32] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a,
                                         0xe5, 0x53, 0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d,
                                         0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7};
    const uint8_t zeros[RT_RANDOM_SEED] = {0};
    uint8_t out[96];
    rt_random random;
    rt_random_init(&random, zeros);
    rt_random_fill(&random, out, sizeof out);
    CHECK_BYTES(out, expected, sizeof out);
    CHECK_BYTES(random.key, next_key, sizeof next_key);
}

static void test_used_bytes_are_erased(void)
{
    rt_random random;
    uint8_t out[100];
    rt_random_init_number(&random, 7);
    rt_random_fill(&random, out, sizeof out);
    for (size_t i = 0; i < sizeof random.pool - random.left; i++)
        CHECK_EQ(random.pool[i], 0);
}

static void test_same_seed_same_bytes(void)
{
    /* Drawn in pieces or at once, over several refills, it is the same stream. */
    uint8_t whole[3000], pieces[3000];
    rt_random a, b, c;
    rt_random_init_number(&a, 0x123456789abcdefu);
    rt_random_init_number(&b, 0x123456789abcdefu);
    rt_random_init_number(&c, 0x123456789abcdeeu);
    rt_random_fill(&a, whole, sizeof whole);
    for (size_t at = 0, step = 1; at < sizeof pieces; at += step, step = step % 700 + 13) {
        size_t size = sizeof pieces - at < step ? sizeof pieces - at : step;
        rt_random_fill(&b, pieces + at, size);
    }
    CHECK_BYTES(whole, pieces, sizeof whole);
    CHECK(rt_random64(&a) == rt_random64(&b));
    CHECK(rt_random64(&a) != rt_random64(&c));
    CHECK(rt_random32(&a) != rt_random32(&c));
}

static void test_below(void)
{
    rt_random random;
    uint32_t seen[5] = {0};
    rt_random_init_number(&random, 1);
    for (int i = 0; i < 50000; i++) {
        uint32_t value = rt_random_below(&random, 5);
        CHECK(value < 5);
        seen[value]++;
    }
    for (int i = 0; i < 5; i++)
        CHECK(seen[i] > 9500 && seen[i] < 10500);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(rt_random_below(&random, 1), 0);
        CHECK(rt_random_below(&random, 0xc0000001u) < 0xc0000001u); /* a quarter of the products is redrawn */
    }
}

static void test_text(void)
{
    rt_random random;
    char text[4096];
    bool seen[256] = {false};
    int kinds = 0;
    rt_random_init_number(&random, 2);
    rt_random_text(&random, text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++) {
        char c = text[i];
        CHECK((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/');
        kinds += !seen[(uint8_t)c];
        seen[(uint8_t)c] = true;
    }
    CHECK_EQ(kinds, 64);
}

int main(int argc, char **argv)
{
    RUN(test_chacha20_vector);
    RUN(test_used_bytes_are_erased);
    RUN(test_same_seed_same_bytes);
    RUN(test_below);
    RUN(test_text);
    CHECK_MAIN_END;
}
