/* Any bytes: the parser stays inside them, and what it accepts can be built again and reads the same. */
#include "expect.h"
#include "wire/stun.h"

static void rebuild(const rt_stun *stun)
{
    uint8_t out[66000];
    rt_writer w = rt_stun_begin(rt_buffer_of(out, sizeof out), stun->class, stun->method, stun->transaction);
    size_t offset = 0;
    uint16_t type;
    rt_span value;
    while (rt_stun_next(stun->message, &offset, &type, &value)) {
        if (type == RT_STUN_FINGERPRINT)
            rt_stun_add_fingerprint(&w);
        else
            rt_stun_add(&w, type, value);
    }
    size_t size = rt_stun_end(&w);
    expect(size == stun->message.size);
    rt_stun again;
    rt_status status = rt_stun_parse(rt_span_of(out, size), &again);
    expect(status == RT_OK);
    expect(again.class == stun->class && again.method == stun->method && again.error == stun->error);
    expect(rt_span_equal(again.username, stun->username) && again.priority == stun->priority);
    expect(rt_addr_equal(&again.mapped, &stun->mapped) && again.tie_breaker == stun->tie_breaker);
    expect(again.integrity == stun->integrity && again.unknown_count == stun->unknown_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_span datagram = rt_span_of(data, size);
    rt_stun stun;
    (void)rt_stun_find(datagram, RT_STUN_USERNAME);
    if (rt_stun_parse(datagram, &stun) != RT_OK)
        return 0;
    rt_hmac *sha1 = rt_hmac_new(RT_SHA1, rt_span_text("VOkJxbRl1RmTxUk/WvJxBt"));
    rt_hmac *sha256 = rt_hmac_new(RT_SHA256, rt_span_text("VOkJxbRl1RmTxUk/WvJxBt"));
    (void)rt_stun_verify(&stun, RT_SHA1, sha1);
    (void)rt_stun_verify(&stun, RT_SHA256, sha256);
    rt_hmac_free(sha1);
    rt_hmac_free(sha256);
    rebuild(&stun);
    return 0;
}
