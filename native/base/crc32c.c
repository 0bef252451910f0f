#include "base/crc32c.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

/* ---- tables: slicing by eight ---------------------------------------------------------------------------
 * tables[k][b] is the remainder of byte b followed by k zero bytes. It is linear in b, so a row follows
 * from the remainders of its eight single bits, lowest bit first. */
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                                               \
    ((i & 1 ? a : 0u) ^ (i & 2 ? b : 0u) ^ (i & 4 ? c : 0u) ^ (i & 8 ? d : 0u) ^ (i & 16 ? e : 0u) ^                   \
     (i & 32 ? f : 0u) ^ (i & 64 ? g : 0u) ^ (i & 128 ? h : 0u))
#define ENTRY4(i, ...)                                                                                                 \
    ENTRY((i), __VA_ARGS__), ENTRY((i + 1), __VA_ARGS__), ENTRY((i + 2), __VA_ARGS__), ENTRY((i + 3), __VA_ARGS__)
#define ENTRY16(i, ...)                                                                                                \
    ENTRY4(i, __VA_ARGS__), ENTRY4(i + 4, __VA_ARGS__), ENTRY4(i + 8, __VA_ARGS__), ENTRY4(i + 12, __VA_ARGS__)
#define ENTRY64(i, ...)                                                                                                \
    ENTRY16(i, __VA_ARGS__), ENTRY16(i + 16, __VA_ARGS__), ENTRY16(i + 32, __VA_ARGS__), ENTRY16(i + 48, __VA_ARGS__)
#define ROW(...)                                                                                                       \
    {ENTRY64(0, __VA_ARGS__), ENTRY64(64, __VA_ARGS__), ENTRY64(128, __VA_ARGS__), ENTRY64(192, __VA_ARGS__)}

/* clang-format off */
static const uint32_t tables[8][256] = {
    ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};
/* clang-format on */

static inline uint32_t load32_little(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t rt_crc32c_portable(uint32_t crc, rt_span data)
{
    const uint8_t *p = data.data;
    size_t left = data.size;
    crc = ~crc;
    for (; left >= 8; p += 8, left -= 8) {
        uint32_t low = crc ^ load32_little(p), high = load32_little(p + 4);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
              tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^ tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; left > 0; p++, left--)
        crc = tables[0][(crc ^ *p) & 255] ^ crc >> 8;
    return ~crc;
}

#if defined(__x86_64__)

/* The instruction answers after three cycles but can start in each: three streams side by side fill the
 * pipe. Their remainders are then shifted over the streams behind them by a carry-less multiplication with
 * x^(8n - 33) mod P (reflected; the instruction that reduces the product adds the other 33 bits). */
#define LONG_STREAM 256
#define SHORT_STREAM 64
#define SHIFT_512 0xdd7e3b0cu
#define SHIFT_256 0xb9e02b86u
#define SHIFT_128 0x0d3b6092u
#define SHIFT_64 0x9e4addf8u

static inline uint64_t load64_native(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t multiply(uint32_t a, uint32_t b)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)b), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("sse4.2,pclmul"))) static inline uint32_t streams(uint32_t crc, const uint8_t *p, size_t size,
                                                                        uint32_t shift_two, uint32_t shift_one)
{
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < size; i += 8) {
        a = _mm_crc32_u64(a, load64_native(p + i));
        b = _mm_crc32_u64(b, load64_native(p + size + i));
        c = _mm_crc32_u64(c, load64_native(p + 2 * size + i));
    }
    uint64_t shifted = multiply((uint32_t)a, shift_two) ^ multiply((uint32_t)b, shift_one);
    return (uint32_t)(_mm_crc32_u64(0, shifted) ^ c);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_sse42(uint32_t crc, rt_span data)
{
    const uint8_t *p = data.data;
    size_t left = data.size;
    crc = ~crc;
    for (; left >= 3 * LONG_STREAM; p += 3 * LONG_STREAM, left -= 3 * LONG_STREAM)
        crc = streams(crc, p, LONG_STREAM, SHIFT_512, SHIFT_256);
    for (; left >= 3 * SHORT_STREAM; p += 3 * SHORT_STREAM, left -= 3 * SHORT_STREAM)
        crc = streams(crc, p, SHORT_STREAM, SHIFT_128, SHIFT_64);
    for (; left >= 8; p += 8, left -= 8)
        crc = (uint32_t)_mm_crc32_u64(crc, load64_native(p));
    for (; left > 0; p++, left--)
        crc = _mm_crc32_u8(crc, *p);
    return ~crc;
}

uint32_t rt_crc32c(uint32_t crc, rt_span data)
{
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return crc32c_sse42(crc, data);
    return rt_crc32c_portable(crc, data);
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* What arm_acle.h calls __crc32cd and __crc32cb, but declares only where the whole file may use them. */
#if defined(__clang__)
#define TARGET_CRC __attribute__((target("crc")))
#define CRC32C_8 __builtin_arm_crc32cd
#define CRC32C_1 __builtin_arm_crc32cb
#else
#define TARGET_CRC __attribute__((target("+crc")))
#define CRC32C_8 __builtin_aarch64_crc32cx
#define CRC32C_1 __builtin_aarch64_crc32cb
#endif

#if defined(__linux__) && !defined(HWCAP_CRC32)
#define HWCAP_CRC32 (1 << 7)
#endif

TARGET_CRC static uint32_t crc32c_armv8(uint32_t crc, rt_span data)
{
    const uint8_t *p = data.data;
    size_t left = data.size;
    crc = ~crc;
    for (; left >= 8; p += 8, left -= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        crc = CRC32C_8(crc, v);
    }
    for (; left > 0; p++, left--)
        crc = CRC32C_1(crc, *p);
    return ~crc;
}

static bool has_crc(void)
{
#if defined(__APPLE__)
    return true; /* every 64-bit machine of theirs has it */
#elif defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_CRC32;
#else
    return false;
#endif
}

uint32_t rt_crc32c(uint32_t crc, rt_span data)
{
    return has_crc() ? crc32c_armv8(crc, data) : rt_crc32c_portable(crc, data);
}

#else

uint32_t rt_crc32c(uint32_t crc, rt_span data)
{
    return rt_crc32c_portable(crc, data);
}

#endif
