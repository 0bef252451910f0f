/* The association as a machine. The first byte chooses how the rest is read:
 *
 *   even  packets: each `size(2) data` is an SCTP packet for an established association, its ports, tag and
 *         checksum made right, so that the fuzzer works behind the first door; some go in as they are
 *   odd   a script: each byte an operation of an application or a network between two associations
 *
 * Bit 1 turns interleaving off, bit 2 zero checksums, bit 3 makes buffers small. Whatever comes in: no
 * crash, bounded memory, bounded output, and the machine falls silent when nobody feeds it. */
#include "expect.h"
#include "proto/sctp.h"
#include "wire/sctp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BATCH = 32, ROOM = 2048, WIRE = 64 };

typedef struct wire_packet {
    size_t size;
    uint8_t data[ROOM];
} wire_packet;

typedef struct end {
    rt_sctp *sctp;
    rt_random random;
    rt_sctp_config config;
    wire_packet wire[WIRE]; /* on their way to this end; more are lost */
    size_t waiting;
    size_t unreleased;
} end;

typedef struct fuzz {
    end ends[2];
    rt_time now;
    uint32_t tag; /* of what end 0 sends to end 1 */
} fuzz;

static void create(end *e, uint8_t flags, uint64_t seed)
{
    rt_random_init_number(&e->random, seed);
    rt_sctp_config_default(&e->config);
    e->config.random = &e->random;
    e->config.interleaving = !(flags & 2);
    e->config.zero_checksum = !(flags & 4);
    if (flags & 8) {
        e->config.receive_buffer = 8192;
        e->config.send_buffer = 8192;
        e->config.max_message_size = 4096;
        e->config.mtu = e->config.max_mtu = 512;
        e->config.streams = 8;
    }
    e->sctp = rt_sctp_new(&e->config);
    expect(e->sctp);
    e->unreleased = 0;
}

static void transmit(fuzz *f, int from, int keep_percent, uint8_t noise)
{
    static uint8_t memory[BATCH * ROOM];
    rt_packet packets[BATCH];
    rt_batch batch;
    size_t rounds = 0;
    end *to = &f->ends[!from];
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, BATCH);
    for (;; rt_batch_reset(&batch)) {
        size_t count = rt_sctp_transmit(f->ends[from].sctp, &batch, f->now);
        expect(count == batch.count);
        if (count == 0)
            return;
        expect(++rounds < 1000); /* a drain ends */
        for (uint32_t i = 0; i < count; i++) {
            expect(packets[i].size >= 16 && packets[i].size <= f->ends[from].config.max_mtu);
            if (from == 0)
                f->tag = rt_load32(packets[i].data + 4);
            if (to->waiting == WIRE || (int)(noise++ * 37 % 100) >= keep_percent)
                continue;
            wire_packet *slot = &to->wire[to->waiting++];
            slot->size = packets[i].size;
            memcpy(slot->data, packets[i].data, slot->size);
        }
    }
}

static void deliver(fuzz *f, int to, size_t index)
{
    end *e = &f->ends[to];
    if (index >= e->waiting)
        return;
    (void)rt_sctp_receive(e->sctp, rt_span_of(e->wire[index].data, e->wire[index].size), f->now);
    e->waiting--;
    memmove(&e->wire[index], &e->wire[index + 1], (e->waiting - index) * sizeof e->wire[0]);
}

static void deliver_all(fuzz *f)
{
    for (int to = 0; to < 2; to++) {
        while (f->ends[to].waiting)
            deliver(f, to, 0);
    }
}

static void take_events(fuzz *f, bool release)
{
    for (int i = 0; i < 2; i++) {
        end *e = &f->ends[i];
        rt_sctp_event event;
        while (rt_sctp_event_next(e->sctp, &event)) {
            expect((event.type == RT_SCTP_EVENT_MESSAGE) == (event.message != NULL));
            if (event.message) {
                expect(event.message->size > 0 && event.message->size <= e->config.max_message_size);
                e->unreleased += event.message->size;
                volatile uint8_t touched = event.message->data[event.message->size - 1];
                (void)touched;
                rt_message_free(event.message);
            }
        }
        if (release && e->unreleased) {
            rt_sctp_release(e->sctp, e->unreleased, f->now);
            e->unreleased = 0;
        }
    }
}

static void check_bounds(const fuzz *f)
{
    for (int i = 0; i < 2; i++) {
        rt_sctp_stats stats;
        rt_sctp_get_stats(f->ends[i].sctp, &stats);
        expect(stats.receive_buffered <= 6ull * f->ends[i].config.receive_buffer + ROOM);
        expect(rt_sctp_send_room(f->ends[i].sctp) <= f->ends[i].config.send_buffer);
    }
}

static void advance(fuzz *f, rt_time span)
{
    f->now += span;
    for (int i = 0; i < 2; i++) {
        if (rt_sctp_deadline(f->ends[i].sctp) <= f->now)
            rt_sctp_expire(f->ends[i].sctp, f->now);
    }
}

/* Ten deadlines on: they must move forward. */
static void run_on(fuzz *f)
{
    for (int i = 0; i < 10; i++) {
        rt_time next = rt_time_min(rt_sctp_deadline(f->ends[0].sctp), rt_sctp_deadline(f->ends[1].sctp));
        if (next == RT_NEVER)
            return;
        advance(f, rt_time_max(0, next - f->now));
        transmit(f, 0, 100, 0);
        transmit(f, 1, 100, 0);
        deliver_all(f);
        take_events(f, true);
        check_bounds(f);
    }
}

static void establish(fuzz *f)
{
    for (int i = 0; i < 2; i++)
        expect(rt_sctp_connect(f->ends[i].sctp, f->now) == RT_OK);
    for (int i = 0; i < 6; i++) {
        transmit(f, 0, 100, 0);
        transmit(f, 1, 100, 0);
        deliver_all(f);
        take_events(f, true);
    }
    expect(rt_sctp_get_state(f->ends[0].sctp) == RT_SCTP_ESTABLISHED);
    expect(rt_sctp_get_state(f->ends[1].sctp) == RT_SCTP_ESTABLISHED);
}

static void feed_packets(fuzz *f, rt_reader *r)
{
    static uint8_t packet[ROOM];
    while (rt_reader_left(r) >= 3) {
        size_t size = rt_read16(r) % 1200;
        uint8_t how = rt_read8(r);
        rt_span body = rt_read_span(r, size < rt_reader_left(r) ? size : rt_reader_left(r));
        rt_store16(packet, 5000);
        rt_store16(packet + 2, 5000);
        rt_store32(packet + 4, how & 1 ? 0 : f->tag); /* INIT wants zero */
        memset(packet + 8, 0, 4);
        if (body.size)
            memcpy(packet + RT_SCTP_HEADER_SIZE, body.data, body.size);
        size = body.size + RT_SCTP_HEADER_SIZE;
        if (how & 2)
            rt_sctp_seal(rt_buffer_of(packet, size));
        if (how & 128)
            (void)rt_sctp_receive(f->ends[1].sctp, body, f->now);
        else
            (void)rt_sctp_receive(f->ends[1].sctp, rt_span_of(packet, size), f->now);
        if (how & 4) {
            transmit(f, 1, 100, 0);
            check_bounds(f);
        }
        if (how & 8)
            advance(f, RT_MS(how));
        if (how & 16)
            take_events(f, true);
    }
    transmit(f, 1, 100, 0);
}

static void run_script(fuzz *f, rt_reader *r)
{
    static const uint8_t payload[5000] = {1, 2, 3};
    while (rt_reader_left(r) >= 2) {
        uint8_t op = rt_read8(r), value = rt_read8(r);
        int i = op >> 7;
        end *e = &f->ends[i];
        rt_sctp_send_info info = {.stream = value & 7, .max_retransmits = -1, .lifetime = RT_NEVER};
        switch (op & 15) {
        case 0:
        case 1: {
            info.unordered = op & 16;
            if (op & 32)
                info.max_retransmits = value >> 6;
            if (op & 64)
                info.lifetime = RT_MS(value);
            size_t size = 1 + (size_t)(value * value) % sizeof payload;
            (void)rt_sctp_send(e->sctp, &info, rt_span_of(payload, size), f->now);
            break;
        }
        case 2: transmit(f, i, 100, 0); break;
        case 3: transmit(f, i, 60, value); break;
        case 4: deliver_all(f); break;
        case 5: deliver(f, i, value % WIRE); break;
        case 6: e->waiting = 0; break;
        case 7: advance(f, RT_US(value * 1000)); break;
        case 8:
            advance(f, rt_time_max(0, rt_time_min(rt_sctp_deadline(e->sctp), f->now + RT_SECONDS(100)) - f->now));
            break;
        case 9: take_events(f, value & 1); break;
        case 10: (void)rt_sctp_reset_stream(e->sctp, value & 15, f->now); break;
        case 11:
            if (value > 200)
                (void)rt_sctp_shutdown(e->sctp, f->now);
            break;
        case 12:
            if (value > 230)
                rt_sctp_abort(e->sctp, rt_span_of(payload, value), f->now);
            break;
        case 13:
            if (value > 220) { /* restart */
                take_events(f, true);
                rt_sctp_free(e->sctp);
                create(e, 0, f->now > 0 ? (uint64_t)f->now : 1);
                (void)rt_sctp_connect(e->sctp, f->now);
            }
            break;
        case 14: /* a damaged packet: byte `value` of the oldest one */
            if (e->waiting && value < e->wire[0].size) {
                e->wire[0].data[value] ^= (uint8_t)(op | 1);
                rt_sctp_seal(rt_buffer_of(e->wire[0].data, e->wire[0].size));
            }
            break;
        case 15:
            rt_sctp_set_priority(e->sctp, value & 7, (uint16_t)(128 << (value >> 6)));
            rt_sctp_set_buffered_low(e->sctp, value & 7, (uint32_t)value * 16);
            break;
        }
        check_bounds(f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 20000)
        return 0;
    static fuzz memory; /* too large to clear for each input */
    fuzz *f = &memory;
    f->now = RT_SECONDS(1);
    f->ends[0].waiting = f->ends[1].waiting = 0;
    rt_reader r = rt_reader_of(rt_span_of(data, size));
    uint8_t flags = rt_read8(&r);
    create(&f->ends[0], flags, 1);
    create(&f->ends[1], flags, 2);
    establish(f);
    if (flags & 1)
        run_script(f, &r);
    else
        feed_packets(f, &r);
    run_on(f);
    take_events(f, true);
    rt_sctp_free(f->ends[0].sctp);
    rt_sctp_free(f->ends[1].sctp);
    return 0;
}
