/* Two associations and a wire between them, in virtual time: for unit tests of proto/sctp.
 *
 * The wire has a constant delay and no loss of its own; a test's filter sees every packet and may drop it.
 * Long scenarios over a real network model live in tests/sim.
 */
#ifndef RT_TESTS_SCTP_PAIR_H
#define RT_TESTS_SCTP_PAIR_H

#include "check.h"
#include "proto/sctp.h"
#include "wire/sctp.h"

typedef struct sctp_pair sctp_pair;

/* A packet leaves side `from`; true: it is lost. */
typedef bool (*sctp_filter)(sctp_pair *pair, int from, rt_span packet);

typedef struct sctp_wire_packet {
    uint8_t *data;
    size_t size;
    rt_time arrives;
} sctp_wire_packet;

typedef struct sctp_wire {
    sctp_wire_packet *packets;
    size_t head, count, capacity;
} sctp_wire;

struct sctp_pair {
    rt_random random[2];
    rt_sctp_config config[2];
    rt_sctp *end[2];
    sctp_wire wire[2]; /* from side i */
    rt_time now, delay;
    sctp_filter filter;
    int drops; /* for filters */
    uint8_t memory[1 << 17];
    rt_packet slots[64];

    /* What the sides saw; messages are freed and released at once unless `hold` is set. */
    bool hold[2];
    rt_message *held[2], *held_last[2];
    uint64_t messages[2], bytes[2];
    uint64_t events[2][16]; /* by type */
    rt_sctp_event last[2];  /* the last event that was not a message */
    uint32_t last_size[2];  /* of the last message */
    uint8_t last_data[2][16];
    uint16_t last_stream[2];
    uint64_t checked[2]; /* messages that sctp_pair_expect found right */
};

void sctp_pair_init(sctp_pair *pair); /* default configurations, to be changed before: */
void sctp_pair_start(sctp_pair *pair);
void sctp_pair_free(sctp_pair *pair);
/* connect() on one side (or both: 2), runs until both are established. */
void sctp_pair_connect(sctp_pair *pair, int side);
/* Moves what is due now, in both directions, until nothing moves. */
void sctp_pair_pump(sctp_pair *pair);
/* Runs for a time; or until the next thing happens, false if there is none before `until`. */
void sctp_pair_run(sctp_pair *pair, rt_time span);
bool sctp_pair_step(sctp_pair *pair, rt_time until);
/* Takes the events of one side. */
void sctp_pair_events(sctp_pair *pair, int side);
/* Drains one side's packets into the wire. */
void sctp_pair_drain(sctp_pair *pair, int side);
void sctp_pair_release(sctp_pair *pair, int side, size_t count); /* of the held messages, the first ones */

rt_status sctp_pair_send(sctp_pair *pair, int side, uint16_t stream, size_t size);
rt_status sctp_pair_send_unordered(sctp_pair *pair, int side, uint16_t stream, size_t size);

/* The first chunk of this type in a packet. */
bool sctp_find_chunk(rt_span packet, uint8_t type, rt_sctp_chunk *out);

#endif
