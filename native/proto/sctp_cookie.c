#include <assert.h>

#include "proto/sctp_internal.h"

/* The state cookie: everything that an association begins with, so that an INIT costs no state.
 *
 *   created, ns (8) | life, ms (4) | my tag | peer's tag | my tie tag | peer's tie tag | my initial TSN |
 *   peer's initial TSN | peer's window | streams out (2) | streams in (2) | abilities (4) | HMAC-SHA256 (16)
 */
#define COOKIE_BODY 48
#define COOKIE_MAC 16

/* The first bytes of the MAC; half of SHA-256 keeps INIT ACK small and is far beyond guessing. */
static bool sign(rt_sctp *s, const uint8_t *body, uint8_t mac[RT_HASH_MAX])
{
    if (!s->cookie_key) {
        uint8_t key[32];
        rt_random_fill(s->config.random, key, sizeof key);
        s->cookie_key = rt_hmac_new(RT_SHA256, rt_span_of(key, sizeof key));
        rt_wipe(key, sizeof key);
    }
    rt_span part = rt_span_of(body, COOKIE_BODY);
    return s->cookie_key && rt_hmac_sign(s->cookie_key, &part, 1, mac) == RT_OK;
}

bool rt_sctp_cookie_seal(rt_sctp *s, const rt_sctp_cookie *c, uint8_t out[RT_SCTP_COOKIE_SIZE])
{
    rt_writer w = rt_writer_of(rt_buffer_of(out, COOKIE_BODY));
    rt_write64(&w, (uint64_t)c->created);
    rt_write32(&w, (uint32_t)(c->life / 1000000));
    rt_write32(&w, c->my_tag);
    rt_write32(&w, c->peer_tag);
    rt_write32(&w, c->my_tie);
    rt_write32(&w, c->peer_tie);
    rt_write32(&w, c->my_tsn);
    rt_write32(&w, c->peer_tsn);
    rt_write32(&w, c->peer_window);
    rt_write16(&w, c->streams_out);
    rt_write16(&w, c->streams_in);
    rt_write8(&w, c->abilities.forward_tsn);
    rt_write8(&w, c->abilities.reset);
    rt_write8(&w, c->abilities.interleaving);
    rt_write8(&w, c->abilities.zero_checksum);
    static_assert(COOKIE_BODY + COOKIE_MAC == RT_SCTP_COOKIE_SIZE, "body and MAC");
    assert(rt_writer_ok(&w) && rt_writer_left(&w) == 0);
    uint8_t mac[RT_HASH_MAX];
    if (!sign(s, out, mac))
        return false;
    memcpy(out + COOKIE_BODY, mac, COOKIE_MAC);
    return true;
}

bool rt_sctp_cookie_open(rt_sctp *s, rt_span span, rt_sctp_cookie *c)
{
    uint8_t mac[RT_HASH_MAX];
    if (span.size != RT_SCTP_COOKIE_SIZE || !sign(s, span.data, mac) ||
        !rt_equal_secret(mac, span.data + COOKIE_BODY, COOKIE_MAC))
        return false;
    rt_reader r = rt_reader_of(span);
    c->created = (rt_time)rt_read64(&r);
    c->life = RT_MS(rt_read32(&r));
    c->my_tag = rt_read32(&r);
    c->peer_tag = rt_read32(&r);
    c->my_tie = rt_read32(&r);
    c->peer_tie = rt_read32(&r);
    c->my_tsn = rt_read32(&r);
    c->peer_tsn = rt_read32(&r);
    c->peer_window = rt_read32(&r);
    c->streams_out = rt_read16(&r);
    c->streams_in = rt_read16(&r);
    c->abilities.forward_tsn = rt_read8(&r);
    c->abilities.reset = rt_read8(&r);
    c->abilities.interleaving = rt_read8(&r);
    c->abilities.zero_checksum = rt_read8(&r);
    return true;
}
