/* What receiver.c (packets in, frames out) and receiver_stats.c share. */
#ifndef RT_PROTO_RECEIVER_INTERNAL_H
#define RT_PROTO_RECEIVER_INTERNAL_H

#include "proto/jitter.h"
#include "proto/nack.h"
#include "proto/receiver.h"
#include "proto/reception.h"

struct rt_receiver {
    rt_receiver_config config;
    rt_receiver_format formats[128]; /* by payload type; without a codec: not agreed */
    rt_reception reception;
    rt_nack nack;
    rt_jitter *jitter;
    const rt_receiver_format *format; /* of the last packet */
    uint32_t clock_rate;
    bool asks;                    /* NACK is agreed for it */
    bool left;                    /* BYE */
    bool key_wanted;              /* by the application */
    bool key_pending;             /* asked for, and did not come yet */
    rt_time key_asked, key_pause; /* when, and how long until it may be asked for again; 0: at once */
    rt_time round_trip;
    rt_rtcp_report report; /* the last sender report; sender false: none */
    uint64_t reports;
    rt_receiver_stats stats; /* what is counted here; the rest is filled in when asked for */
};

#endif
