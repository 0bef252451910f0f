/* base/addr: the text forms of RFC 4291 section 2.2 and RFC 5952 section 4, what is not an address, hashing. */
#include "base/addr.h"
#include "check.h"

static void check_text(const char *text, const char *canonical)
{
    rt_addr addr, again;
    char out[RT_ADDR_TEXT_MAX];
    CHECK(rt_addr_parse_ip(text, strlen(text), 5000, &addr));
    size_t size = rt_addr_format_ip(&addr, out);
    if (strcmp(out, canonical) != 0) {
        fprintf(stderr, "%s gives %s, expected %s\n", text, out, canonical);
        exit(1);
    }
    CHECK_EQ(size, strlen(out));
    CHECK(rt_addr_parse_ip(out, size, 5000, &again));
    CHECK(rt_addr_equal(&addr, &again));
    CHECK_EQ(rt_addr_hash(&addr), rt_addr_hash(&again));
}

static void test_forms(void)
{
    check_text("0.0.0.0", "0.0.0.0");
    check_text("255.255.255.255", "255.255.255.255");
    check_text("192.0.2.1", "192.0.2.1");
    /* RFC 4291 section 2.2 */
    check_text("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789");
    check_text("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a");
    check_text("FF01:0:0:0:0:0:0:101", "ff01::101");
    check_text("0:0:0:0:0:0:0:1", "::1");
    check_text("0:0:0:0:0:0:0:0", "::");
    check_text("::", "::");
    check_text("1::", "1::");
    check_text("0:0:0:0:0:FFFF:129.144.52.38", "::ffff:129.144.52.38");
    check_text("::FFFF:129.144.52.38", "::ffff:129.144.52.38");
    check_text("1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a");
    /* RFC 5952 sections 4.1 to 4.3: leading zeros, one group, longest run, first of equals, lower case */
    check_text("2001:0db8::0001", "2001:db8::1");
    check_text("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    check_text("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
    check_text("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    check_text("2001:db8::1:0:0:1", "2001:db8::1:0:0:1");
    check_text("fe80:0:0:0:1:0:0:0", "fe80::1:0:0:0");
    check_text("1:0:0:0:0:0:0:0", "1::");
    check_text("2001:db8:aaaa:bbbb:cccc:dddd::1", "2001:db8:aaaa:bbbb:cccc:dddd:0:1");
}

static void test_not_an_address(void)
{
    static const char *const texts[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.",
        "1..2.3",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.0004",
        "-1.2.3.4",
        ":",
        ":::",
        "1:2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "::g",
        "1:",
        "::1:",
        ":1::",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "fe80::1%eth0",
        "[::1]",
        "example.org",
        "1:2:3:4:5:6:7::8:9",
        "::1.2.3.4.5",
    };
    rt_addr addr;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (rt_addr_parse_ip(texts[i], strlen(texts[i]), 1, &addr)) {
            fprintf(stderr, "taken for an address: %s\n", texts[i]);
            exit(1);
        }
        CHECK_EQ(addr.family, 0);
        CHECK_EQ(addr.port, 0);
    }
    CHECK(rt_addr_parse_ip("1.2.3.45", 7, 1, &addr)); /* the size counts, not a terminator */
    CHECK_EQ(addr.ip[3], 4);
    char out[RT_ADDR_TEXT_MAX] = "x";
    addr.family = 0;
    CHECK_EQ(rt_addr_format_ip(&addr, out), 0);
    CHECK_EQ(out[0], 0);
}

static rt_addr of(const char *text)
{
    rt_addr addr;
    CHECK(rt_addr_parse_ip(text, strlen(text), 0, &addr));
    return addr;
}

#define IS(kind, text, expected)                                                                                       \
    do {                                                                                                               \
        rt_addr is_addr = of(text);                                                                                    \
        CHECK_EQ(rt_addr_is_##kind(&is_addr), expected);                                                               \
    } while (0)

static void test_kinds(void)
{
    IS(loopback, "127.0.0.1", true);
    IS(loopback, "127.255.0.9", true);
    IS(loopback, "128.0.0.1", false);
    IS(loopback, "::1", true);
    IS(loopback, "::2", false);
    IS(link_local, "169.254.1.1", true);
    IS(link_local, "169.253.1.1", false);
    IS(link_local, "fe80::1", true);
    IS(link_local, "febf::1", true);
    IS(link_local, "fec0::1", false);
    IS(any, "0.0.0.0", true);
    IS(any, "::", true);
    IS(any, "::1", false);
    rt_addr none = {0};
    CHECK(!rt_addr_is_any(&none));
}

static void test_equality(void)
{
    rt_addr a = of("192.0.2.1"), b = a;
    b.port = 9;
    CHECK(!rt_addr_equal(&a, &b));
    CHECK(rt_addr_same_ip(&a, &b));
    CHECK(rt_addr_hash(&a) != rt_addr_hash(&b));
    b.scope = 3;
    CHECK(!rt_addr_same_ip(&a, &b));
    rt_addr mapped = of("::ffff:192.0.2.1");
    CHECK(!rt_addr_same_ip(&a, &mapped));
}

int main(int argc, char **argv)
{
    RUN(test_forms);
    RUN(test_not_an_address);
    RUN(test_kinds);
    RUN(test_equality);
    CHECK_MAIN_END;
}
