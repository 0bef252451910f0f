#include <assert.h>
#include <stdlib.h>

#include "proto/sctp_internal.h"

/* RFC 9260 section 6.3.1, with alpha 1/8 and beta 1/4. */
void rt_sctp_update_rtt(rt_sctp *s, rt_time rtt)
{
    if (s->srtt == 0) {
        s->srtt = rtt;
        s->rttvar = rtt / 2;
    } else {
        rt_time deviation = rtt > s->srtt ? rtt - s->srtt : s->srtt - rtt;
        s->rttvar += (deviation - s->rttvar) / 4;
        s->srtt += (rtt - s->srtt) / 8;
        if (s->srtt == 0)
            s->srtt = 1;
    }
    rt_time rto = s->srtt + 4 * s->rttvar;
    s->rto = rt_time_min(rt_time_max(rto, s->config.rto_min), s->config.rto_max);
}

/* ---- abandoning (RFC 3758) ---- */

void rt_sctp_abandon(rt_sctp *s, rt_sctp_outgoing *message)
{
    if (message->abandoned)
        return;
    message->abandoned = true;
    uint16_t stream = message->stream->id;
    uint32_t bytes;
    bool low = false;
    /* The rest that was never sent gets a TSN of its own, so that skipping it tells the receiver that the
     * message is over even if everything sent of it has been acknowledged. */
    if (message->sent < message->size) {
        rt_sctp_sent *end = rt_sctp_outstanding_push(&s->outstanding, message, 0, 0);
        if (!end) { /* no room in the ring: the message goes on for now and is abandoned at its next chance */
            message->abandoned = false;
            return;
        }
        bytes = rt_sctp_queue_drop_rest(&s->queue, message, &low);
        rt_sctp_free_buffer(s, bytes, 0);
    }
    rt_sctp_outstanding_abandon(&s->outstanding, message, &bytes);
    rt_sctp_free_buffer(s, bytes, 0);
    s->forward_due = true;
    s->stats.messages_abandoned++;
    rt_sctp_push_event(s, RT_SCTP_EVENT_ABANDONED, stream, NULL);
    if (low)
        rt_sctp_push_event(s, RT_SCTP_EVENT_BUFFERED_LOW, stream, NULL);
}

/* ---- losses ---- */

static void begin_recovery(rt_sctp *s)
{
    s->recovering = true;
    s->reduced = false;
    s->recovery_end = s->outstanding.next - 1;
    s->undo_left = 0;
    s->undo_valid = true;
    s->stats.fast_retransmits++;
}

static void detect_losses(rt_sctp *s, rt_time now)
{
    rt_time again;
    uint32_t lost = rt_sctp_outstanding_detect(&s->outstanding, s->srtt, s->recovering, now, &again);
    rt_sctp_set(s, RT_SCTP_TIMER_REORDER, again);
    if (!lost)
        return;
    if (!s->recovering)
        begin_recovery(s);
    if (!s->reduced) {
        rt_sctp_congestion_lost(&s->congestion, lost);
        s->reduced = rt_sctp_congestion_reduce(&s->congestion);
    }
}

/* The peer reports TSNs that came twice. If we sent one twice, once was for nothing: the reordering window is
 * too small. When all retransmissions of a recovery prove needless, so was the smaller window (RFC 3708). */
static void count_needless(rt_sctp *s, const rt_sctp_sack *sack)
{
    for (size_t i = 0; i < sack->duplicate_count; i++) {
        uint32_t tsn = rt_sctp_sack_duplicate(sack, i);
        for (uint32_t k = 0; k < s->resent_count && k < 64; k++) {
            if (s->resent[k] != tsn)
                continue;
            s->resent[k] = tsn + 0x80000000u; /* only once; so far away that it never comes */
            s->stats.spurious_retransmits++;
            if (s->probe_out && s->probe_resent && tsn == s->probe_tsn) {
                s->probe_resent = false; /* nothing was lost, the acknowledgement was late */
                s->probe_extra = rt_time_min(s->probe_extra * 2, RT_MS(200));
                break;
            }
            rt_sctp_outstanding_spurious(&s->outstanding);
            if (s->undo_left && --s->undo_left == 0 && s->undo_valid && s->reduced) {
                rt_sctp_congestion_undo(&s->congestion);
                s->undo_valid = false;
            }
            break;
        }
    }
}

/* ---- timers ---- */

static void arm_t3(rt_sctp *s, rt_time now)
{
    bool outstanding = rt_sctp_outstanding_count(&s->outstanding) > 0;
    rt_sctp_set(s, RT_SCTP_TIMER_T3, outstanding ? now + rt_sctp_backed_off(s, s->rto, s->backoff) : RT_NEVER);
}

/* RFC 8985 section 7.2: two round trips without an acknowledgement, longer if a lone packet's
 * acknowledgement may be delayed. Also in recovery, where retransmissions may be lost in turn. */
static void arm_probe(rt_sctp *s, rt_time now)
{
    rt_time at = RT_NEVER;
    if (s->outstanding.flight.count && !s->outstanding.lost.count && !s->probe_out && s->srtt &&
        s->timers[RT_SCTP_TIMER_REORDER] == RT_NEVER) {
        rt_time wait = rt_time_max(2 * s->srtt, RT_MS(2));
        if (s->outstanding.bytes <= s->mtu)
            wait += s->probe_extra;
        at = now + wait;
    }
    rt_sctp_set(s, RT_SCTP_TIMER_PROBE, at);
}

void rt_sctp_guard_flight(rt_sctp *s, rt_time now)
{
    if (s->timers[RT_SCTP_TIMER_T3] == RT_NEVER)
        arm_t3(s, now);
    arm_probe(s, now);
}

void rt_sctp_reorder_expired(rt_sctp *s, rt_time now)
{
    detect_losses(s, now);
}

void rt_sctp_probe_expired(rt_sctp *s, rt_time now)
{
    (void)now;
    if (s->outstanding.flight.count && s->peer_window)
        s->probe = true;
}

void rt_sctp_t3_expired(rt_sctp *s, rt_time now)
{
    if (rt_sctp_outstanding_count(&s->outstanding) == 0)
        return;
    s->stats.timeouts++;
    if (rt_sctp_count_error(s, "the peer does not acknowledge"))
        return;
    s->backoff++;
    rt_sctp_outstanding_lose_all(&s->outstanding);
    rt_sctp_congestion_timeout(&s->congestion);
    s->recovering = s->reduced = true;
    s->recovery_end = s->outstanding.next - 1;
    s->undo_valid = true;
    s->undo_left = 0;
    s->probe = s->probe_out = false;
    s->window_probe = true;
    s->forward_due = s->outstanding.abandoned > 0;
    rt_sctp_set(s, RT_SCTP_TIMER_REORDER, RT_NEVER);
    rt_sctp_set(s, RT_SCTP_TIMER_PROBE, RT_NEVER);
    arm_t3(s, now);
    rt_sctp_path_timeout(s, now);
}

/* ---- SACK ---- */

static void end_probe(rt_sctp *s)
{
    const rt_sctp_outstanding *o = &s->outstanding;
    if (!s->probe_out ||
        (rt_seq32_before(o->acked, s->probe_tsn) && rt_sctp_sent_at(o, s->probe_tsn)->state != RT_SCTP_ACKED))
        return;
    s->probe_out = false;
    /* The probe repaired a loss that nothing else showed (RFC 8985 section 7.4.2). A duplicate report that
     * denies it comes with the next SACK at the latest, and undoes it. */
    if (s->probe_resent && !s->recovering)
        rt_sctp_congestion_reduce(&s->congestion);
}

static void progress(rt_sctp *s, const rt_sctp_acked *acked, rt_time now)
{
    rt_sctp_outstanding *o = &s->outstanding;
    rt_sctp_free_buffer(s, acked->bytes, acked->messages);
    s->send_buffered += acked->reneged;
    if (acked->rtt)
        rt_sctp_update_rtt(s, acked->rtt);
    if (acked->chunks) {
        s->errors = 0;
        s->path.timeouts = 0;
        rt_sctp_path_alive(s, now);
    }
    if (acked->advanced)
        s->backoff = 0;
    if (s->recovering && rt_seq32_at_most(s->recovery_end, o->acked))
        s->recovering = s->reduced = false;
    bool slow = s->congestion.window < s->congestion.threshold;
    rt_sctp_congestion_acked(&s->congestion, acked->bytes, acked->rtt, o->highest, o->next,
                             s->recovering && s->reduced && !slow, s->srtt, now);
    end_probe(s);
    detect_losses(s, now);
    if (acked->chunks || o->ring.count == 0)
        arm_t3(s, now);
    arm_probe(s, now);
    if (o->abandoned && (acked->advanced || rt_seq32_before(o->acked, s->forward_tsn)))
        s->forward_due = true; /* the peer has not seen it, or there is more to skip */
}

static void after(rt_sctp *s, rt_time now)
{
    if (s->resets.wanted)
        rt_sctp_reset_progress(s, now);
    rt_sctp_shutdown_progress(s, now);
}

void rt_sctp_on_sack(rt_sctp *s, const rt_sctp_sack *sack, rt_time now)
{
    rt_sctp_acked acked;
    if (!rt_sctp_outstanding_sack(&s->outstanding, sack, now, &acked)) {
        s->stats.unexpected++;
        return;
    }
    s->peer_window = sack->window;
    if (s->peer_window < s->mtu)
        s->errors = 0; /* alive, only slow: a closed window is no failure (section 6.1) */
    if (s->peer_window > s->outstanding.bytes)
        rt_sctp_set(s, RT_SCTP_TIMER_WINDOW, RT_NEVER);
    if (sack->duplicate_count)
        count_needless(s, sack);
    progress(s, &acked, now);
    after(s, now);
}

void rt_sctp_acknowledge_shutdown(rt_sctp *s, uint32_t cumulative_tsn, rt_time now)
{
    rt_sctp_acked acked = {0};
    if (rt_sctp_outstanding_ack(&s->outstanding, cumulative_tsn, now, &acked))
        progress(s, &acked, now);
}
