/* Text of an IP address: whatever is taken for one comes back the same through its canonical form. */
#include "expect.h"
#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_addr addr, again;
    char text[RT_ADDR_TEXT_MAX];
    if (!rt_addr_parse_ip((const char *)data, size, 1, &addr))
        return 0;
    size_t length = rt_addr_format_ip(&addr, text);
    expect(length == strlen(text) && length < sizeof text);
    expect(rt_addr_parse_ip(text, length, 1, &again));
    expect(rt_addr_equal(&addr, &again));
    return 0;
}
