#include "wire/stun.h"

/* A CRC is linear: the table entry of a byte is the XOR of the entries of its bits. So the compiler makes
 * the four tables from the images of single bits, T<n>_<bit>: what (1 << bit) becomes after 8 * (n + 1)
 * steps of the reflected polynomial 0xedb88320. */
#define STEP(v) (((v) >> 1) ^ (((v) & 1u) ? 0xedb88320u : 0u))

enum {
    /* 0x80 needs one real step; each lower bit is one step more. */
    B7 = (int)0xedb88320u,
    B6 = (int)STEP((uint32_t)B7),
    B5 = (int)STEP((uint32_t)B6),
    B4 = (int)STEP((uint32_t)B5),
    B3 = (int)STEP((uint32_t)B4),
    B2 = (int)STEP((uint32_t)B3),
    B1 = (int)STEP((uint32_t)B2),
    B0 = (int)STEP((uint32_t)B1),
    C7 = (int)STEP((uint32_t)B0),
    C6 = (int)STEP((uint32_t)C7),
    C5 = (int)STEP((uint32_t)C6),
    C4 = (int)STEP((uint32_t)C5),
    C3 = (int)STEP((uint32_t)C4),
    C2 = (int)STEP((uint32_t)C3),
    C1 = (int)STEP((uint32_t)C2),
    C0 = (int)STEP((uint32_t)C1),
    D7 = (int)STEP((uint32_t)C0),
    D6 = (int)STEP((uint32_t)D7),
    D5 = (int)STEP((uint32_t)D6),
    D4 = (int)STEP((uint32_t)D5),
    D3 = (int)STEP((uint32_t)D4),
    D2 = (int)STEP((uint32_t)D3),
    D1 = (int)STEP((uint32_t)D2),
    D0 = (int)STEP((uint32_t)D1),
    E7 = (int)STEP((uint32_t)D0),
    E6 = (int)STEP((uint32_t)E7),
    E5 = (int)STEP((uint32_t)E6),
    E4 = (int)STEP((uint32_t)E5),
    E3 = (int)STEP((uint32_t)E4),
    E2 = (int)STEP((uint32_t)E3),
    E1 = (int)STEP((uint32_t)E2),
    E0 = (int)STEP((uint32_t)E1),
};

#define BIT(n, bit, image) (((n) >> (bit) & 1) ? (uint32_t)(image) : 0u)
#define ENTRY(t, n)                                                                                                    \
    (BIT(n, 0, t##0) ^ BIT(n, 1, t##1) ^ BIT(n, 2, t##2) ^ BIT(n, 3, t##3) ^ BIT(n, 4, t##4) ^ BIT(n, 5, t##5) ^       \
     BIT(n, 6, t##6) ^ BIT(n, 7, t##7))
#define ENTRIES4(t, n) ENTRY(t, n), ENTRY(t, (n) + 1), ENTRY(t, (n) + 2), ENTRY(t, (n) + 3)
#define ENTRIES16(t, n) ENTRIES4(t, n), ENTRIES4(t, (n) + 4), ENTRIES4(t, (n) + 8), ENTRIES4(t, (n) + 12)
#define ENTRIES64(t, n) ENTRIES16(t, n), ENTRIES16(t, (n) + 16), ENTRIES16(t, (n) + 32), ENTRIES16(t, (n) + 48)
#define TABLE(t) {ENTRIES64(t, 0), ENTRIES64(t, 64), ENTRIES64(t, 128), ENTRIES64(t, 192)}

static const uint32_t table[4][256] = {TABLE(B), TABLE(C), TABLE(D), TABLE(E)};

uint32_t rt_crc32(rt_span data)
{
    const uint8_t *at = data.data;
    size_t left = data.size;
    uint32_t crc = 0xffffffffu;
    for (; left >= 4; left -= 4, at += 4) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^ table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
    }
    while (left--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return ~crc;
}
