/* Text of an IP address: whatever is taken for one comes back the same through its canonical form. */
#include "base/addr.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_addr addr, again;
    char text[RT_ADDR_TEXT_MAX];
    if (!rt_addr_parse_ip((const char *)data, size, 1, &addr))
        return 0;
    size_t length = rt_addr_format_ip(&addr, text);
    assert(length == strlen(text) && length < sizeof text);
    assert(rt_addr_parse_ip(text, length, 1, &again));
    assert(rt_addr_equal(&addr, &again));
    return 0;
}
