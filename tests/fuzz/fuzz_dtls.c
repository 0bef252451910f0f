/* DTLS under orders from the input, in one of three ways chosen by its first byte:
 *
 *   raw        a fresh client or server reads the input as datagrams
 *   handshake  client and server shake hands while the input drops, copies, cuts and changes their datagrams
 *   records    an open connection with known keys reads sealed records of any type, and damaged ones
 *
 * Nothing is ever delivered that the peer did not seal as application data, and a connection that failed or
 * closed stays so.
 */
#include "expect.h"
#include "proto/dtls_internal.h"

enum { CLIENT, SERVER };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rt_certificate *certificate(int end)
{
    static rt_certificate *certificates[2];
    if (!certificates[end])
        certificates[end] = rt_certificate_generate(1700000000, 86400);
    return certificates[end];
}

static rt_dtls *make_end(int end, uint16_t mtu)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.certificate = certificate(end);
    config.role = end == CLIENT ? RT_DTLS_CLIENT : RT_DTLS_SERVER;
    config.mtu = mtu;
    config.srtp_profiles[0] = RT_SRTP_AEAD_AES_128_GCM;
    rt_dtls *dtls = rt_dtls_new(&config);
    expect(dtls);
    uint8_t digest[RT_HASH_MAX];
    expect(rt_certificate_fingerprint(certificate(!end), RT_SHA256, digest) == RT_OK);
    expect(rt_dtls_add_fingerprint(dtls, RT_SHA256, rt_span_of(digest, 32), 0) == RT_OK);
    return dtls;
}

static size_t drain(rt_dtls *dtls, rt_batch *batch, rt_time now)
{
    static uint8_t memory[65536];
    static rt_packet packets[32];
    rt_batch_init(batch, rt_buffer_of(memory, sizeof memory), packets, 32);
    return rt_dtls_transmit(dtls, batch, now);
}

/* In memory of exactly its size, so that the sanitizer sees a step beyond. Returns how many were read. */
static size_t feed(rt_dtls *dtls, rt_span datagram, rt_time now)
{
    rt_dtls_state before = rt_dtls_get_state(dtls);
    uint8_t *copy = malloc(datagram.size ? datagram.size : 1);
    if (datagram.size)
        memcpy(copy, datagram.data, datagram.size);
    (void)rt_dtls_receive(dtls, rt_buffer_of(copy, datagram.size), now);
    if (before >= RT_DTLS_CLOSED)
        expect(rt_dtls_get_state(dtls) == before);
    rt_span text;
    size_t count = 0;
    uint8_t sum = 0;
    while (rt_dtls_read(dtls, &text)) {
        for (size_t i = 0; i < text.size; i++)
            sum ^= text.data[i];
        count++;
    }
    rt_dtls_event event;
    while (rt_dtls_event_next(dtls, &event))
        sum ^= (uint8_t)event.text[0];
    free(copy);
    volatile uint8_t touched = sum; /* every byte was looked at */
    (void)touched;
    return count;
}

static void raw(rt_reader *input)
{
    rt_dtls *dtls = make_end(rt_read8(input) & 1, 1200);
    rt_batch batch;
    rt_time now = 0;
    (void)rt_dtls_start(dtls, now);
    (void)drain(dtls, &batch, now);
    while (rt_reader_left(input)) {
        size_t size = rt_read16(input);
        size = size < rt_reader_left(input) ? size : rt_reader_left(input);
        expect(feed(dtls, rt_read_span(input, size), now) == 0);
        expect(rt_dtls_get_state(dtls) != RT_DTLS_CONNECTED);
        if (rt_dtls_deadline(dtls) != RT_NEVER && size % 5 == 0)
            rt_dtls_expire(dtls, now = rt_dtls_deadline(dtls));
        (void)drain(dtls, &batch, now);
    }
    rt_dtls_free(dtls);
}

/* What the input does to one datagram on its way. */
static void pass(rt_dtls *to, uint8_t *data, size_t size, rt_reader *input, rt_time now)
{
    uint8_t order = rt_read8(input);
    switch (order & 7) {
    case 1: return;
    case 2: (void)feed(to, rt_span_of(data, size), now); break;
    case 3: size = size * rt_read8(input) / 256; break;
    case 4: data[rt_read16(input) % size] ^= (uint8_t)(1 << (order >> 5)); break;
    case 5: data[rt_read16(input) % size] = rt_read8(input); break;
    case 6: data[rt_read8(input) % (size < 64 ? size : 64)] = rt_read8(input); break;
    default: break;
    }
    (void)feed(to, rt_span_of(data, size), now);
}

static void handshake(rt_reader *input)
{
    uint16_t mtu = (uint16_t)(256 + rt_read8(input) * 4);
    rt_dtls *ends[2] = {make_end(CLIENT, mtu), make_end(SERVER, mtu)};
    rt_batch batch;
    rt_time now = 0;
    (void)rt_dtls_start(ends[CLIENT], now);
    (void)rt_dtls_start(ends[SERVER], now);
    for (int turn = 0; turn < 64; turn++) {
        size_t sent = 0;
        for (int end = 0; end < 2; end++) {
            size_t count = drain(ends[end], &batch, now);
            for (size_t i = 0; i < count; i++) {
                expect(batch.packets[i].size <= mtu);
                pass(ends[!end], batch.packets[i].data, batch.packets[i].size, input, now);
            }
            sent += count;
        }
        rt_time deadline = rt_time_min(rt_dtls_deadline(ends[0]), rt_dtls_deadline(ends[1]));
        if (!sent && deadline == RT_NEVER)
            break;
        if (!sent) {
            now = deadline;
            rt_dtls_expire(ends[0], now);
            rt_dtls_expire(ends[1], now);
        }
    }
    rt_dtls_free(ends[0]);
    rt_dtls_free(ends[1]);
}

/* An open connection without a handshake: both ends get the same session. */
static rt_dtls *open_end(int end)
{
    rt_dtls *dtls = make_end(end, 1200);
    memset(dtls->master, 1, sizeof dtls->master);
    dtls->hash = "SHA256";
    expect(rt_dtls_derive_keys(dtls, 16) == RT_OK);
    rt_span der = rt_certificate_der(certificate(!end));
    dtls->remote_der = malloc(der.size);
    memcpy(dtls->remote_der, der.data, der.size);
    dtls->remote_der_size = der.size;
    rt_dtls_handshake_free(dtls);
    dtls->state = RT_DTLS_CONNECTED;
    return dtls;
}

static void records(rt_reader *input)
{
    rt_dtls *ends[2] = {open_end(CLIENT), open_end(SERVER)};
    rt_batch batch;
    while (rt_reader_left(input)) {
        uint8_t order = rt_read8(input);
        int from = order & 1;
        size_t size = rt_read8(input);
        size = size < rt_reader_left(input) ? size : rt_reader_left(input);
        rt_span text = rt_read_span(input, size);
        uint8_t record[2 * (256 + RT_DTLS_OVERHEAD)];
        memcpy(record + RT_DTLS_HEADROOM, text.data, size);
        uint8_t type = (uint8_t)(CONTENT_CHANGE_CIPHER_SPEC + (order >> 1) % 4);
        expect(rt_dtls_record_seal(ends[from], record, type, DTLS_1_2, 1, size) == RT_OK);
        size_t sealed = size + RT_DTLS_OVERHEAD;
        bool open = rt_dtls_get_state(ends[!from]) == RT_DTLS_CONNECTED;
        switch (order >> 3 & 7) {
        case 0:
            record[rt_read16(input) % sealed] ^= (uint8_t)(1 << (order >> 6));
            open = false;
            break;
        case 1:
            memcpy(record + sealed, record, sealed);
            sealed *= 2;
            break; /* replayed at once */
        case 2:
            sealed = rt_read16(input) % sealed;
            open = false;
            break;
        case 3: ends[from]->sequence[1] += (uint64_t)rt_read16(input) << (order >> 6) * 8; break;
        case 4: (void)feed(ends[!from], text, 0); break; /* plain rubbish in between */
        case 5: rt_dtls_close(ends[from], 0); break;
        default: break;
        }
        expect(feed(ends[!from], rt_span_of(record, sealed), 0) == (open && type == CONTENT_APPLICATION));
        for (int end = 0; end < 2; end++) {
            size_t count = drain(ends[end], &batch, 0);
            for (size_t i = 0; i < count; i++)
                expect(feed(ends[!end], rt_span_of(batch.packets[i].data, batch.packets[i].size), 0) == 0);
        }
        if (ends[from]->sequence[1] > SEQUENCE_MAX - 1000)
            break;
    }
    rt_dtls_free(ends[0]);
    rt_dtls_free(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_reader input = rt_reader_of(rt_span_of(data, size));
    switch (rt_read8(&input) % 3) {
    case 0: raw(&input); break;
    case 1: handshake(&input); break;
    case 2: records(&input); break;
    }
    return 0;
}
