/* Sender and NACKs over a lossy path in virtual time. The receiver is a model: it notes what came, asks for what is
 * missing, again after a round trip, and holds each payload against what was sent. */
#include "base/seq.h"
#include "check.h"
#include "net.h"
#include "proto/pacer.h"
#include "proto/sender.h"

#define SEED 7
#define SSRC 10
#define RTX_SSRC 11
#define PAYLOAD 1100
#define FRAMES_PER_SECOND 30
#define WINDOW 32768

typedef struct world {
    net *net;
    uint32_t near, far;
    rt_random random;
    rt_rtp_extension_map map;
    rt_sender *sender;
    rt_pacer pacer;
    rt_time now, next_frame, next_nack, round_trip;
    uint64_t frames, packets; /* made; a packet's payload is its number, again and again */
    uint64_t first, highest;  /* unwrapped sequence numbers */
    uint8_t came[WINDOW];     /* how often, by sequence number */
    rt_time asked[WINDOW];
    uint64_t recovered, duplicates, asked_for;
    rt_time recovery_max;
    rt_time seen[WINDOW]; /* when its loss was noticed */
} world;

static void world_init(world *w, bool rtx, const net_path *path)
{
    *w = (world){.now = RT_SECONDS(1), .round_trip = 2 * path->delay + RT_MS(10)};
    rt_random_init_number(&w->random, SEED);
    w->net = net_new(SEED);
    w->near = net_node(w->net);
    w->far = net_node(w->net);
    net_set_both(w->net, w->near, w->far, path);
    CHECK_EQ(rt_rtp_extension_map_set(&w->map, RT_RTP_TRANSPORT_SEQUENCE, 3), RT_OK);
    rt_sender_config config;
    rt_sender_config_default(&config);
    config.random = &w->random;
    config.ssrc = SSRC;
    config.rtx_ssrc = rtx ? RTX_SSRC : 0;
    config.payload_type = 96;
    config.rtx_payload_type = 97;
    config.video = true;
    config.extensions = &w->map;
    w->sender = rt_sender_new(&config);
    CHECK(w->sender);
    rt_sender_set_round_trip(w->sender, 2 * path->delay);
    rt_pacer_init(&w->pacer, 5000000, w->now);
    w->next_frame = w->next_nack = w->now;
}

static void world_free(world *w)
{
    rt_sender_free(w->sender);
    net_free(w->net);
}

static void make_frame(world *w)
{
    uint32_t count = w->frames % 60 ? 6 : 30; /* a key frame every other second */
    size_t head = sizeof(rt_payloads) + count * sizeof(rt_payload);
    rt_payloads *payloads = malloc(head + (size_t)count * PAYLOAD);
    CHECK(payloads);
    uint8_t *data = (uint8_t *)payloads + head;
    payloads->references = 1;
    payloads->count = count;
    payloads->data = data;
    for (uint32_t i = 0; i < count; i++) {
        payloads->items[i] = (rt_payload){.offset = i * PAYLOAD, .size = PAYLOAD};
        payloads->items[i].flags = i + 1 == count ? RT_PAYLOAD_MARKER : 0;
        for (uint32_t k = 0; k + 4 <= PAYLOAD; k += 4)
            rt_store32(data + i * PAYLOAD + k, (uint32_t)w->packets);
        w->packets++;
    }
    rt_frame *frame = rt_frame_new(0);
    CHECK(frame);
    frame->flags = count == 30 ? RT_FRAME_KEY : 0;
    frame->timestamp = (int64_t)w->frames++ * 3000;
    CHECK_EQ(rt_sender_send(w->sender, payloads, frame, w->now, w->now), RT_OK);
    rt_frame_unref(frame);
    rt_payloads_unref(payloads);
}

static void transmit(world *w)
{
    for (int which = RT_SENDER_CLASSES; which-- > 0;) {
        size_t queued;
        while ((queued = rt_sender_queued(w->sender, which)) > 0) {
            uint8_t room[1500];
            if (!rt_pacer_budget(&w->pacer, queued, PAYLOAD, w->now))
                return;
            size_t size = rt_sender_write(w->sender, which, rt_buffer_of(room, sizeof room), 0, 0, w->now);
            if (!size)
                break;
            rt_pacer_sent(&w->pacer, size, w->now);
            net_send_to(w->net, w->near, w->far, rt_span_of(room, size), w->now);
        }
    }
}

static void arrived(world *w, const net_packet *packet)
{
    rt_rtp rtp;
    CHECK_EQ(rt_rtp_parse(rt_span_of(packet->data, packet->size), &rtp), RT_OK);
    bool rtx = rtp.ssrc == RTX_SSRC;
    if (rtx)
        CHECK_EQ(rt_rtx_unwrap(&rtp, SSRC, 96), RT_OK);
    CHECK_EQ(rtp.ssrc, SSRC);
    uint32_t number = rt_load32(rtp.payload.data);
    CHECK_EQ(rt_load32(rtp.payload.data + PAYLOAD - 4), number);
    if (!w->first)
        w->first = w->highest = 65536 + rtp.sequence - number;
    uint64_t sequence = rt_seq16_unwrap(w->highest, rtp.sequence);
    CHECK_EQ(sequence - w->first, number); /* the payload that belongs to the number */
    for (; w->highest < sequence; w->highest++) {
        uint64_t next = (w->highest + 1) % WINDOW;
        w->came[next] = 0;
        w->asked[next] = 0;
        w->seen[next] = w->now;
    }
    uint64_t place = sequence % WINDOW;
    if (w->came[place]++)
        w->duplicates++;
    else if (w->asked[place]) {
        w->recovered++;
        w->recovery_max = rt_time_max(w->recovery_max, w->now - w->seen[place]);
    }
}

/* Asks for all of the last second that is missing, each again after a round trip. */
static void ask(world *w)
{
    uint16_t missing[256];
    size_t count = 0;
    for (uint64_t s = w->highest > w->first + 700 ? w->highest - 700 : w->first; s < w->highest && count < 256; s++) {
        uint64_t place = s % WINDOW;
        if (w->came[place] || (w->asked[place] && w->now - w->asked[place] < w->round_trip))
            continue;
        w->asked[place] = w->now;
        missing[count++] = (uint16_t)s;
    }
    if (!count)
        return;
    w->asked_for += count;
    uint8_t room[1500];
    rt_writer writer = rt_writer_of(rt_buffer_of(room, sizeof room));
    CHECK_EQ(rt_rtcp_write_nack(&writer, 1, SSRC, missing, count), count);
    net_send_to(w->net, w->far, w->near, rt_span_of(room, rt_writer_size(&writer)), w->now);
}

static void nack_came(world *w, const net_packet *packet)
{
    rt_reader reader = rt_reader_of(rt_span_of(packet->data, packet->size));
    rt_rtcp rtcp;
    rt_rtcp_feedback feedback;
    rt_status status = RT_OK;
    uint16_t sequences[512];
    CHECK(rt_rtcp_next(&reader, &rtcp, &status));
    CHECK_EQ(rt_rtcp_feedback_read(&rtcp, &feedback), RT_OK);
    size_t count = rt_rtcp_nack_read(&feedback, sequences, 512);
    rt_sender_nack(w->sender, sequences, count, w->now);
}

static void run(world *w, rt_time span, bool frames)
{
    rt_time end = w->now + span;
    while (w->now < end) {
        rt_time next = rt_time_min(w->next_nack, net_next_time(w->net));
        if (frames)
            next = rt_time_min(next, w->next_frame);
        if (rt_sender_queued(w->sender, RT_SENDER_MEDIA) + rt_sender_queued(w->sender, RT_SENDER_RETRANSMISSION))
            next = rt_time_min(next, rt_pacer_deadline(&w->pacer, w->now));
        w->now = rt_time_max(next, w->now);
        net_packet *packet;
        while ((packet = net_deliver(w->net, w->now))) {
            if (packet->node == w->far)
                arrived(w, packet);
            else
                nack_came(w, packet);
        }
        if (frames && w->now >= w->next_frame) {
            w->next_frame += RT_SECONDS(1) / FRAMES_PER_SECOND;
            make_frame(w);
        }
        if (w->now >= w->next_nack) {
            w->next_nack += RT_MS(20);
            ask(w);
        }
        transmit(w);
    }
}

static uint64_t missing(const world *w)
{
    uint64_t count = 0;
    for (uint64_t s = w->first; s <= w->highest; s++)
        count += w->highest - s < WINDOW && !w->came[s % WINDOW];
    return count;
}

static void loss(const char *name, bool rtx, net_path path, uint64_t lost_at_most)
{
    world w;
    world_init(&w, rtx, &path);
    run(&w, RT_SECONDS(60), true);
    run(&w, RT_SECONDS(1), false);
    rt_sender_stats stats;
    rt_sender_get_stats(w.sender, &stats);
    net_path_stats wire = net_path_get_stats(w.net, w.near, w.far);
    printf("%s: %d packets, %d lost on the way, %d sent again, %d twice there, %d missing, recovered within %.0f ms\n",
           name, (int)w.packets, (int)wire.lost, (int)stats.retransmitted_packets, (int)w.duplicates, (int)missing(&w),
           (double)w.recovery_max / 1e6);
    CHECK(w.recovered > 100);
    CHECK(missing(&w) <= lost_at_most);
    /* What is sent again was lost, or asked for by a receiver that had not heard of it yet. */
    CHECK(stats.retransmitted_packets <= wire.lost + w.duplicates + 2);
    CHECK(w.duplicates <= w.packets / 50);
    world_free(&w);
}

static void random_loss_with_rtx(void)
{
    loss("5% loss, RTX", true, (net_path){.delay = RT_MS(30), .loss = 0.05}, 0);
}

static void random_loss_in_place(void)
{
    loss("5% loss, in place", false, (net_path){.delay = RT_MS(30), .loss = 0.05}, 0);
}

static void bursts(void)
{
    loss("bursts", true, (net_path){.delay = RT_MS(50), .burst_enter = 0.005, .burst_leave = 0.1, .burst_loss = 0.8},
         0);
}

static void reordering_and_copies(void)
{
    loss("reordering", true,
         (net_path){.delay = RT_MS(30), .loss = 0.02, .reorder = 0.02, .reorder_delay = RT_MS(8), .duplicate = 0.005},
         0);
}

/* A round trip beyond the configured history: the history follows it. */
static void a_long_way(void)
{
    loss("a second's round trip", true, (net_path){.delay = RT_MS(450), .loss = 0.01}, 2);
}

int main(int argc, char **argv)
{
    printf("seed %d\n", SEED);
    RUN(random_loss_with_rtx);
    RUN(random_loss_in_place);
    RUN(bursts);
    RUN(reordering_and_copies);
    RUN(a_long_way);
    CHECK_MAIN_END;
}
