/* base/crc32c: published vectors, the table path against the machine's, a bitwise model. */
#include "base/crc32c.h"
#include "base/random.h"
#include "check.h"

static uint32_t model(uint32_t crc, rt_span data)
{
    crc = ~crc;
    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void check_vector(rt_span data, uint32_t expected)
{
    CHECK_EQ(rt_crc32c(0, data), expected);
    CHECK_EQ(rt_crc32c_portable(0, data), expected);
    CHECK_EQ(model(0, data), expected);
}

/* RFC 3720 appendix B.4 (there in the order of the wire, lowest byte first) and the check value of the
 * catalogue of CRCs. */
static void test_vectors(void)
{
    uint8_t data[48] = {0};
    check_vector(rt_span_of(data, 32), 0x8a9136aa);
    memset(data, 0xff, 32);
    check_vector(rt_span_of(data, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    check_vector(rt_span_of(data, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++)
        data[i] = (uint8_t)(31 - i);
    check_vector(rt_span_of(data, 32), 0x113fdb5c);
    static const uint8_t read_pdu[48] = {
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
        0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    check_vector(rt_span_of(read_pdu, sizeof read_pdu), 0xd9963a56);
    check_vector(rt_span_text("123456789"), 0xe3069283);
    check_vector(rt_span_text(""), 0);
}

static void test_all_sizes_and_offsets(void)
{
    static uint8_t data[2400];
    rt_random random;
    rt_random_init_number(&random, 3);
    rt_random_fill(&random, data, sizeof data);
    for (size_t size = 0; size <= 2300; size++) {
        rt_span span = rt_span_of(data + size % 17, size);
        uint32_t expected = rt_crc32c_portable(0, span);
        CHECK_EQ(rt_crc32c(0, span), expected);
        if (size % 23 == 0)
            CHECK_EQ(model(0, span), expected);
    }
}

static void test_continues(void)
{
    static uint8_t data[3000];
    rt_random random;
    rt_random_init_number(&random, 4);
    rt_random_fill(&random, data, sizeof data);
    uint32_t whole = rt_crc32c(0, rt_span_of(data, sizeof data));
    for (size_t cut = 0; cut <= sizeof data; cut += 37) {
        rt_span head = rt_span_of(data, cut), tail = rt_span_of(data + cut, sizeof data - cut);
        CHECK_EQ(rt_crc32c(rt_crc32c(0, head), tail), whole);
        CHECK_EQ(rt_crc32c_portable(rt_crc32c(0, head), tail), whole);
    }
}

int main(int argc, char **argv)
{
    RUN(test_vectors);
    RUN(test_all_sizes_and_offsets);
    RUN(test_continues);
    CHECK_MAIN_END;
}
