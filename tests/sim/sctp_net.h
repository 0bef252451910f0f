/* Two SCTP associations on the virtual network: what every SCTP scenario drives.
 *
 *     sctp_net *p = sctp_net_new(seed, NULL, NULL);
 *     net_set_both(p->net, 0, 1, &path);
 *     sctp_net_connect(p);
 *     while (sctp_net_step(p, until)) { send to p->end[0], take events of p->end[1] ... }
 *
 * A step drains both ends into the network, jumps to the next thing that happens, delivers what arrived
 * and expires what is due. After it, virtual time stands still and the scenario may do what it likes; what it
 * causes leaves with the next step.
 */
#ifndef RT_SIM_SCTP_NET_H
#define RT_SIM_SCTP_NET_H

#include "net.h"
#include "proto/sctp.h"

typedef struct sctp_net {
    net *net; /* nodes 0 and 1 are the two ends */
    rt_sctp *end[2];
    rt_sctp_config config[2];
    rt_random random[2];
    rt_time now;
    rt_time tick;            /* arrivals within so much are handed over together, as a busy host does; default 0 */
    uint32_t idle_steps;     /* in a row without time passing; too many end the program */
    bool trace;              /* print each packet as it leaves and arrives */
    uint64_t packets_out[2]; /* that the ends gave to the network */
    uint8_t *memory;
    rt_packet *packets;
    rt_batch batch;
} sctp_net;

/* NULL for a default configuration; `random` in it is filled in. */
sctp_net *sctp_net_new(uint64_t seed, const rt_sctp_config *a, const rt_sctp_config *b);
void sctp_net_free(sctp_net *p);

/* Both ends connect, as in WebRTC. */
void sctp_net_connect(sctp_net *p);
/* The same, and runs until both are established; all events up to then are taken. Fails the test after 60 s. */
void sctp_net_establish(sctp_net *p);

/* False when nothing happens until `until`; time is then `until`. */
bool sctp_net_step(sctp_net *p, rt_time until);
/* Drains both ends into the network without letting time pass. */
void sctp_net_flush(sctp_net *p);
/* Steps until then; events pile up. */
void sctp_net_run(sctp_net *p, rt_time until);

/* Throws an end away and puts a new association in its place, which has not connected yet. */
void sctp_net_replace(sctp_net *p, int end);

/* Before connecting: an association in this place whose first TSN is within so many of the wrap to zero. */
void sctp_net_near_wrap(sctp_net *p, int end, uint32_t within);

rt_sctp_stats sctp_net_stats(const sctp_net *p, int end);

/* ---- messages whose content can be checked ----
 *
 * 16 bytes of header (stream, epoch, number, size), then bytes that follow from them. Size 16 and more. */
#define SCTP_SIM_HEADER 16
#define SCTP_SIM_MESSAGE_MAX (1 << 20)

typedef struct sctp_sim_header {
    uint16_t stream;
    uint16_t epoch;
    uint64_t number;
} sctp_sim_header;

/* Borrowed until the next call. */
rt_span sctp_sim_make(const sctp_sim_header *header, size_t size);
/* False if a byte differs from what sctp_sim_make made. */
bool sctp_sim_check(rt_span message, sctp_sim_header *out);

#endif
