#include "sctp_net.h"

#include "wire/sctp.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 64

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "sctp_net: no memory\n");
        abort();
    }
    return memory;
}

sctp_net *sctp_net_new(uint64_t seed, const rt_sctp_config *a, const rt_sctp_config *b)
{
    sctp_net *p = need(calloc(1, sizeof *p));
    p->net = net_new(seed);
    net_node(p->net);
    net_node(p->net);
    for (int i = 0; i < 2; i++) {
        const rt_sctp_config *config = i == 0 ? a : b;
        if (config)
            p->config[i] = *config;
        else
            rt_sctp_config_default(&p->config[i]);
        rt_random_init_number(&p->random[i], seed * 2 + (uint64_t)i + 1000000007);
        p->config[i].random = &p->random[i];
        p->end[i] = need(rt_sctp_new(&p->config[i]));
    }
    p->memory = need(malloc(BATCH * NET_PACKET_MAX));
    p->packets = need(malloc(BATCH * sizeof *p->packets));
    rt_batch_init(&p->batch, rt_buffer_of(p->memory, BATCH * NET_PACKET_MAX), p->packets, BATCH);
    p->now = RT_SECONDS(1);
    return p;
}

static void drop_events(rt_sctp *sctp)
{
    rt_sctp_event event;
    while (rt_sctp_event_next(sctp, &event))
        rt_message_free(event.message);
}

void sctp_net_free(sctp_net *p)
{
    for (int i = 0; i < 2; i++) {
        drop_events(p->end[i]);
        rt_sctp_free(p->end[i]);
    }
    net_free(p->net);
    free(p->memory);
    free(p->packets);
    free(p);
}

void sctp_net_connect(sctp_net *p)
{
    for (int i = 0; i < 2; i++) {
        if (rt_sctp_connect(p->end[i], p->now) != RT_OK) {
            fprintf(stderr, "sctp_net: end %d does not connect\n", i);
            abort();
        }
    }
}

void sctp_net_establish(sctp_net *p)
{
    rt_time until = p->now + RT_SECONDS(60);
    sctp_net_connect(p);
    while (rt_sctp_get_state(p->end[0]) != RT_SCTP_ESTABLISHED || rt_sctp_get_state(p->end[1]) != RT_SCTP_ESTABLISHED) {
        if (!sctp_net_step(p, until)) {
            fprintf(stderr, "sctp_net: no association after 60 s: states %d and %d\n", rt_sctp_get_state(p->end[0]),
                    rt_sctp_get_state(p->end[1]));
            abort();
        }
    }
    drop_events(p->end[0]);
    drop_events(p->end[1]);
}

static void print_chunk(const rt_sctp_chunk *chunk)
{
    rt_sctp_data data;
    rt_sctp_sack sack;
    rt_sctp_forward forward;
    if ((chunk->type == RT_SCTP_DATA || chunk->type == RT_SCTP_I_DATA) && rt_sctp_parse_data(chunk, &data)) {
        printf(" DATA(tsn %u stream %u mid %u fsn %u flags %u size %zu)", data.tsn, data.stream, data.mid, data.fsn,
               data.flags, data.payload.size);
    } else if (chunk->type == RT_SCTP_SACK && rt_sctp_parse_sack(chunk, &sack)) {
        printf(" SACK(%u window %u", sack.cumulative_tsn, sack.window);
        for (size_t i = 0; i < sack.gap_count; i++)
            printf(" %u-%u", rt_sctp_sack_gap(&sack, i).start, rt_sctp_sack_gap(&sack, i).end);
        printf("%s)", sack.duplicate_count ? " and duplicates" : "");
    } else if (chunk->type >= RT_SCTP_FORWARD_TSN && rt_sctp_parse_forward(chunk, &forward)) {
        printf(" FORWARD(%u, %zu skips)", forward.cumulative_tsn, forward.count);
    } else {
        printf(" chunk %u (%zu bytes)", chunk->type, chunk->value.size);
    }
}

static void trace(const sctp_net *p, const char *what, int end, rt_span packet)
{
    rt_sctp_header header;
    rt_sctp_chunk chunk;
    rt_reader r = rt_reader_of(packet);
    if (!p->trace)
        return;
    printf("%10.6f end %d %s", (double)p->now / 1e9, end, what);
    if (rt_sctp_read_header(&r, &header)) {
        printf(" tag %08x", header.tag);
        while (rt_sctp_next_chunk(&r, &chunk))
            print_chunk(&chunk);
    }
    putchar('\n');
}

static void drain(sctp_net *p, int i)
{
    for (;;) {
        rt_batch_reset(&p->batch);
        if (rt_sctp_transmit(p->end[i], &p->batch, p->now) == 0)
            return;
        for (uint32_t k = 0; k < p->batch.count; k++) {
            rt_span packet = rt_span_of(p->batch.packets[k].data, p->batch.packets[k].size);
            trace(p, "sends", i, packet);
            net_send_to(p->net, (uint32_t)i, (uint32_t)!i, packet, p->now);
        }
        p->packets_out[i] += p->batch.count;
    }
}

void sctp_net_flush(sctp_net *p)
{
    drain(p, 0);
    drain(p, 1);
}

bool sctp_net_step(sctp_net *p, rt_time until)
{
    sctp_net_flush(p);
    rt_time deadline = rt_time_min(rt_sctp_deadline(p->end[0]), rt_sctp_deadline(p->end[1]));
    rt_time arrival = net_next_time(p->net);
    rt_time next = rt_time_min(deadline, arrival == RT_NEVER ? RT_NEVER : arrival + p->tick);
    if (next > until) {
        p->now = rt_time_max(p->now, until);
        return false;
    }
    p->idle_steps = next > p->now ? 0 : p->idle_steps + 1;
    if (p->idle_steps > 100000) {
        fprintf(stderr, "sctp_net: time stands still at %lld: deadlines %lld and %lld\n", (long long)p->now,
                (long long)rt_sctp_deadline(p->end[0]), (long long)rt_sctp_deadline(p->end[1]));
        abort();
    }
    p->now = rt_time_max(p->now, next);
    for (net_packet *packet; (packet = net_deliver(p->net, p->now));) {
        trace(p, "receives", (int)packet->node, rt_span_of(packet->data, packet->size));
        (void)rt_sctp_receive(p->end[packet->node], rt_span_of(packet->data, packet->size), p->now);
    }
    for (int i = 0; i < 2; i++) {
        if (rt_sctp_deadline(p->end[i]) <= p->now)
            rt_sctp_expire(p->end[i], p->now);
    }
    return true;
}

void sctp_net_run(sctp_net *p, rt_time until)
{
    while (sctp_net_step(p, until))
        ;
}

void sctp_net_near_wrap(sctp_net *p, int i, uint32_t within)
{
    for (uint64_t number = 1;; number++) {
        rt_sctp_chunk chunk;
        rt_sctp_init init;
        rt_sctp_header header;
        rt_random_init_number(&p->random[i], number);
        rt_sctp *probe = need(rt_sctp_new(&p->config[i]));
        rt_batch_reset(&p->batch);
        if (rt_sctp_connect(probe, p->now) != RT_OK || rt_sctp_transmit(probe, &p->batch, p->now) == 0)
            abort();
        rt_sctp_free(probe);
        rt_reader r = rt_reader_of(rt_span_of(p->packets[0].data, p->packets[0].size));
        if (!rt_sctp_read_header(&r, &header) || !rt_sctp_next_chunk(&r, &chunk) || !rt_sctp_parse_init(&chunk, &init))
            abort();
        if (init.tsn >= UINT32_MAX - within) {
            rt_random_init_number(&p->random[i], number);
            break;
        }
    }
    sctp_net_replace(p, i);
}

void sctp_net_replace(sctp_net *p, int i)
{
    drop_events(p->end[i]);
    rt_sctp_free(p->end[i]);
    p->end[i] = need(rt_sctp_new(&p->config[i]));
}

rt_sctp_stats sctp_net_stats(const sctp_net *p, int i)
{
    rt_sctp_stats stats;
    rt_sctp_get_stats(p->end[i], &stats);
    return stats;
}

/* ---- content ----
 *
 * The bytes behind the header are a piece of one long random string, at a place that follows from the
 * header: as fast to make and to check as memcpy and memcmp, and no two places alike. */

#define TEXT_SIZE (SCTP_SIM_MESSAGE_MAX + 65536)

static const uint8_t *text(void)
{
    static uint8_t *bytes;
    if (!bytes) {
        static uint8_t memory[TEXT_SIZE];
        rt_random random;
        rt_random_init_number(&random, 99);
        rt_random_fill(&random, memory, sizeof memory);
        bytes = memory;
    }
    return bytes;
}

static size_t place(const sctp_sim_header *h)
{
    return (size_t)((h->number * 2654435761u + h->stream * 40503u + h->epoch * 9973u) % 65536);
}

rt_span sctp_sim_make(const sctp_sim_header *header, size_t size)
{
    static uint8_t message[SCTP_SIM_MESSAGE_MAX];
    if (size < SCTP_SIM_HEADER || size > sizeof message) {
        fprintf(stderr, "sctp_sim_make: a message of %zu bytes\n", size);
        abort();
    }
    rt_store16(message, header->stream);
    rt_store16(message + 2, header->epoch);
    rt_store64(message + 4, header->number);
    rt_store32(message + 12, (uint32_t)size);
    memcpy(message + SCTP_SIM_HEADER, text() + place(header), size - SCTP_SIM_HEADER);
    return rt_span_of(message, size);
}

bool sctp_sim_check(rt_span message, sctp_sim_header *out)
{
    rt_reader r = rt_reader_of(message);
    out->stream = rt_read16(&r);
    out->epoch = rt_read16(&r);
    out->number = rt_read64(&r);
    if (rt_read32(&r) != message.size || !rt_reader_ok(&r))
        return false;
    return memcmp(r.at, text() + place(out), message.size - SCTP_SIM_HEADER) == 0;
}
