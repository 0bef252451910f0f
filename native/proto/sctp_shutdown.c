#include "proto/sctp_internal.h"

/* RFC 9260 section 9.2. Who asks first waits in SHUTDOWN-PENDING until its data is acknowledged; the other
 * one, told by SHUTDOWN, does the same in SHUTDOWN-RECEIVED. Both repeat on T2. */

static void send_shutdown(rt_sctp *s, rt_time now)
{
    uint8_t cumulative[4];
    rt_store32(cumulative, s->tracker.cumulative);
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_SHUTDOWN, 0, rt_span_of(cumulative, 4), false);
    s->state = RT_SCTP_SHUTDOWN_SENT;
    rt_sctp_set(s, RT_SCTP_TIMER_T2, now + rt_sctp_backed_off(s, s->rto, s->attempts));
}

static void send_shutdown_ack(rt_sctp *s, rt_time now)
{
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_SHUTDOWN_ACK, 0, rt_span_of(NULL, 0), false);
    s->state = RT_SCTP_SHUTDOWN_ACK_SENT;
    rt_sctp_set(s, RT_SCTP_TIMER_T2, now + rt_sctp_backed_off(s, s->rto, s->attempts));
}

void rt_sctp_shutdown_progress(rt_sctp *s, rt_time now)
{
    if (s->state != RT_SCTP_SHUTDOWN_PENDING && s->state != RT_SCTP_SHUTDOWN_RECEIVED)
        return;
    if (!rt_sctp_queue_empty(&s->queue) || rt_sctp_outstanding_count(&s->outstanding))
        return;
    s->attempts = 0;
    rt_sctp_set(s, RT_SCTP_TIMER_HEARTBEAT, RT_NEVER);
    if (s->state == RT_SCTP_SHUTDOWN_PENDING)
        send_shutdown(s, now);
    else
        send_shutdown_ack(s, now);
}

void rt_sctp_repeat_shutdown(rt_sctp *s, rt_time now)
{
    if (s->state == RT_SCTP_SHUTDOWN_SENT)
        send_shutdown(s, now);
    else if (s->state == RT_SCTP_SHUTDOWN_ACK_SENT)
        send_shutdown_ack(s, now);
}

void rt_sctp_t2_expired(rt_sctp *s, rt_time now)
{
    s->stats.timeouts++;
    s->attempts++;
    if (!rt_sctp_count_error(s, "the peer does not answer the shutdown"))
        rt_sctp_repeat_shutdown(s, now);
}

void rt_sctp_on_shutdown(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    rt_reader r = rt_reader_of(chunk->value);
    uint32_t cumulative = rt_read32(&r);
    if (!rt_reader_ok(&r)) {
        s->stats.malformed++;
        return;
    }
    switch (s->state) {
    case RT_SCTP_ESTABLISHED:
    case RT_SCTP_SHUTDOWN_PENDING:
        s->state = RT_SCTP_SHUTDOWN_RECEIVED;
        rt_sctp_acknowledge_shutdown(s, cumulative, now);
        rt_sctp_shutdown_progress(s, now);
        break;
    case RT_SCTP_SHUTDOWN_RECEIVED:
        rt_sctp_acknowledge_shutdown(s, cumulative, now);
        rt_sctp_shutdown_progress(s, now);
        break;
    case RT_SCTP_SHUTDOWN_SENT: /* both at the same time */
        s->attempts = 0;
        send_shutdown_ack(s, now);
        break;
    case RT_SCTP_SHUTDOWN_ACK_SENT: send_shutdown_ack(s, now); break;
    default: s->stats.unexpected++; break;
    }
}

void rt_sctp_on_shutdown_ack(rt_sctp *s, rt_time now)
{
    (void)now;
    if (s->state != RT_SCTP_SHUTDOWN_SENT && s->state != RT_SCTP_SHUTDOWN_ACK_SENT) {
        s->stats.unexpected++;
        return;
    }
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_SHUTDOWN_COMPLETE, 0, rt_span_of(NULL, 0), false);
    rt_sctp_end(s, 0, "shut down");
}

void rt_sctp_on_shutdown_complete(rt_sctp *s)
{
    if (s->state == RT_SCTP_SHUTDOWN_ACK_SENT)
        rt_sctp_end(s, 0, "shut down by the peer");
    else
        s->stats.unexpected++;
}
