/* The media of a peer fed by an authenticated end that sends whatever it likes: nothing breaks, streams and memory stay
 * bounded, and the deadline never stands in the past after a drain.
 *
 * The input is a list of steps {kind, argument, size (2 bytes), bytes}: bytes as the plain text of an RTP or RTCP
 * packet of the other end (SRTP is the test table's), RTP whose header is made up so that it finds a stream, frames
 * that we send, sections that change, time that passes.
 */
#include "expect.h"
#include "peer/media.h"
#include "srtp_fake.h"
#include "wire/rtp.h"

enum { DATAGRAM_MAX = 1500, BATCH = 32, STREAMS_MAX = 64, SECTIONS = 4 };

typedef struct lab {
    rt_random random;
    rt_media *media;
    rt_srtp *other; /* protects as the other end */
    rt_time now;
    uint32_t streams; /* announced and not ended */
    uint8_t memory[BATCH * DATAGRAM_MAX];
    rt_packet packets[BATCH];
} lab;

static const rt_media_format formats[] = {
    {.payload_type = 96,
     .rtx_payload_type = 97,
     .nack = true,
     .pli = true,
     .twcc = true,
     .payload = {.codec = RT_CODEC_VP8, .clock_rate = 90000}},
    {.payload_type = 98,
     .rtx_payload_type = 99,
     .nack = true,
     .fir = true,
     .remb = true,
     .payload = {.codec = RT_CODEC_H264, .clock_rate = 90000, .h264_mode = 1}},
    {.payload_type = 111,
     .rtx_payload_type = RT_MEDIA_NO_FORMAT,
     .payload = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2}},
    {.payload_type = 63,
     .rtx_payload_type = RT_MEDIA_NO_FORMAT,
     .payload = {.codec = RT_CODEC_RED, .clock_rate = 48000, .channels = 2}},
};

static rt_rtp_text text(char c)
{
    return (rt_rtp_text){.size = 1, .data = {c}};
}

/* Sections 0 and 1 are video (one of them simulcast), 2 and 3 audio; all of them both ways. */
static void set_section(lab *l, uint8_t number, uint8_t variant)
{
    bool video = number < 2;
    rt_media_section section = {.mid = text((char)('0' + (variant & 16 ? number + 4 : number))),
                                .video = video,
                                .receive = !(variant & 1),
                                .send = !(variant & 2),
                                .reduced_size = !(variant & 4),
                                .passthrough = variant & 8,
                                .max_delay = RT_SECONDS(1),
                                .formats = video ? formats : formats + 2,
                                .format_count = variant & 32 ? 1 : 2};
    section.send_format = section.formats[0];
    for (uint8_t kind = 0; kind < RT_RTP_EXTENSIONS; kind++)
        (void)rt_rtp_extension_map_set(&section.extensions, (rt_rtp_extension)kind, (uint8_t)(kind + 1));
    const rt_rtp_text rids[] = {text('a'), text('b')};
    const rt_media_source source = {.ssrc = 100u + number, .rtx_ssrc = video ? 200u + number : 0};
    const rt_media_encoding encodings[] = {
        {.ssrc = 1000u + number, .rtx_ssrc = video ? 1100u + number : 0, .rid = rids[0], .active = true},
        {.ssrc = 1200u + number, .rid = rids[1], .active = !(variant & 64), .max_bitrate = 100000}};
    if (number == 1) {
        section.rids = rids;
        section.rid_count = 2;
    } else {
        section.sources = &source;
        section.source_count = 1;
    }
    section.encodings = encodings;
    section.encoding_count = variant & 128 ? 1 : 2;
    (void)rt_media_set_section(l->media, number, &section, l->now);
}

static void listen(lab *l)
{
    rt_media_event event;
    while (rt_media_event_next(l->media, &event, l->now)) {
        switch (event.type) {
        case RT_MEDIA_EVENT_FRAME:
            expect(event.frame != NULL && event.frame->size <= event.frame->capacity);
            rt_frame_unref(event.frame);
            break;
        case RT_MEDIA_EVENT_STREAM: l->streams++; break;
        case RT_MEDIA_EVENT_ENDED:
            expect(l->streams > 0);
            l->streams--;
            break;
        default: break;
        }
    }
    expect(l->streams <= STREAMS_MAX);
}

static void drain(lab *l)
{
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(l->memory, sizeof l->memory), l->packets, BATCH);
    for (int turn = 0;; turn++) {
        expect(turn < 1000);
        listen(l);
        rt_batch_reset(&batch);
        size_t count = rt_media_transmit(l->media, &batch, l->now);
        expect(count == batch.count);
        if (count == 0)
            break;
        for (uint32_t i = 0; i < batch.count; i++)
            expect(batch.packets[i].size <= 1200);
    }
    expect(rt_media_deadline(l->media) > l->now);
}

static void pass_time(lab *l, rt_time span)
{
    rt_time until = l->now + span;
    for (int turn = 0; turn < 2000; turn++) {
        rt_time next = rt_media_deadline(l->media);
        if (next > until)
            break;
        l->now = rt_time_max(l->now, next);
        rt_media_expire(l->media, l->now);
        drain(l);
    }
    l->now = until;
}

static void deliver(lab *l, rt_span plain)
{
    uint8_t memory[DATAGRAM_MAX + RT_SRTP_TRAILER];
    if (plain.size > DATAGRAM_MAX)
        return;
    if (plain.size)
        memcpy(memory, plain.data, plain.size);
    size_t size = plain.size;
    rt_status status = rt_is_rtcp(plain) ? rt_srtp_protect_rtcp(l->other, memory, &size, sizeof memory)
                                         : rt_srtp_protect(l->other, memory, &size, sizeof memory);
    if (status == RT_OK)
        (void)rt_media_receive(l->media, rt_buffer_of(memory, size), l->now);
}

/* A header that leads somewhere, and any payload: {sequence, timestamp} come first in the bytes. */
static void deliver_rtp(lab *l, uint8_t argument, rt_span bytes)
{
    static const uint8_t types[] = {96, 97, 98, 99, 111, 63, 96, 111};
    uint8_t memory[DATAGRAM_MAX];
    rt_reader r = rt_reader_of(bytes);
    rt_rtp header = {.payload_type = types[argument & 7],
                     .marker = argument & 8,
                     .sequence = rt_read16(&r),
                     .timestamp = (uint32_t)rt_read16(&r) << 8,
                     .ssrc = (argument & 1 && argument < 128 ? 200u : 100u) + (argument >> 4 & 7)};
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_rtp_values values = {.present = argument & 64 ? 1u << RT_RTP_RID | 1u << RT_RTP_TRANSPORT_SEQUENCE : 0};
    values.rid = text(argument & 16 ? 'a' : 'b');
    values.transport_sequence = header.sequence;
    rt_rtp_extension_map map = {0};
    for (uint8_t kind = 0; kind < RT_RTP_EXTENSIONS; kind++)
        (void)rt_rtp_extension_map_set(&map, (rt_rtp_extension)kind, (uint8_t)(kind + 1));
    (void)rt_rtp_write_header(&w, &header, &map, &values);
    rt_write_span(&w, rt_read_span(&r, rt_reader_left(&r)));
    if (rt_writer_ok(&w))
        deliver(l, rt_span_of(memory, rt_writer_size(&w)));
}

static void send(lab *l, uint8_t argument, rt_span bytes)
{
    static const uint8_t key[] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0};
    static uint8_t data[20000];
    bool video = !(argument & 2);
    rt_frame frame = {.codec = video ? RT_CODEC_VP8 : RT_CODEC_OPUS,
                      .flags = argument & 4 ? RT_FRAME_KEY : 0,
                      .audio_level = RT_FRAME_NO_LEVEL,
                      .timestamp = (int64_t)(l->now / 11111)};
    size_t size = sizeof key + bytes.size * (argument & 8 ? 20 : 1);
    size = size < sizeof data ? size : sizeof data;
    memcpy(data, key, sizeof key);
    if (bytes.size)
        memcpy(data + sizeof key, bytes.data, bytes.size < size - sizeof key ? bytes.size : size - sizeof key);
    (void)rt_media_send(l->media, argument & 3, argument >> 4 & 1, &frame, rt_span_of(data, size), l->now, l->now);
}

static void step(lab *l, uint8_t kind, uint8_t argument, rt_span bytes)
{
    switch (kind % 10) {
    case 0: deliver(l, bytes); break;
    case 1:
    case 2: deliver_rtp(l, argument, bytes); break;
    case 3: send(l, argument, bytes); break;
    case 4: pass_time(l, RT_US(100) << argument % 16); break;
    case 5: drain(l); break;
    case 6: set_section(l, argument % SECTIONS, bytes.size ? bytes.data[0] : 0); break;
    case 7: rt_media_remove_section(l->media, argument % SECTIONS, l->now); break;
    case 8:
        (void)rt_media_request_key_frame(l->media, argument & 3, RT_MEDIA_ALL, l->now);
        rt_media_frames_waiting(l->media, argument & 3, argument);
        break;
    case 9:
        (void)rt_media_set_encoding(l->media, argument & 3, argument >> 2 & 1, argument & 8, argument * 1000u, l->now);
        break;
    }
}

static void start(lab *l)
{
    uint8_t material[4 * RT_SRTP_KEYS_MAX], keys[RT_SRTP_KEYS_MAX];
    size_t size = srtp_fake_material(material);
    *l = (lab){.now = RT_SECONDS(1)};
    rt_random_init_number(&l->random, 7);
    rt_media_config config;
    rt_media_config_default(&config);
    config.random = &l->random;
    config.srtp = srtp_fake();
    config.max_frames = 8;
    config.ntp_offset = 3900000000000000000u;
    l->media = rt_media_new(&config, l->now);
    expect(l->media != NULL);
    expect(rt_media_start(l->media, SRTP_FAKE_PROFILE, rt_span_of(material, size), true, l->now) == RT_OK);
    rt_srtp_config srtp;
    rt_srtp_config_default(&srtp);
    srtp.library = srtp_fake();
    srtp.profile = SRTP_FAKE_PROFILE;
    srtp.keys = rt_span_of(keys, rt_srtp_split(SRTP_FAKE_PROFILE, rt_span_of(material, size), false, keys));
    srtp.outbound = true;
    expect(rt_srtp_new(&srtp, &l->other) == RT_OK);
    for (uint8_t i = 0; i < SECTIONS; i++)
        set_section(l, i, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lab l;
    start(&l);
    rt_reader r = rt_reader_of(rt_span_of(data, size));
    for (int steps = 0; rt_reader_left(&r) >= 4 && steps < 200; steps++) {
        uint8_t kind = rt_read8(&r), argument = rt_read8(&r);
        uint16_t want = rt_read16(&r);
        size_t have = rt_reader_left(&r);
        step(&l, kind, argument, rt_read_span(&r, want < have ? want : have));
    }
    drain(&l);
    pass_time(&l, RT_SECONDS(3));
    rt_media_close(l.media, l.now);
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(l.memory, sizeof l.memory), l.packets, BATCH);
    (void)rt_media_transmit(l.media, &batch, l.now);
    expect(rt_media_deadline(l.media) == RT_NEVER);
    rt_media_free(l.media);
    rt_srtp_free(l.other);
    return 0;
}
