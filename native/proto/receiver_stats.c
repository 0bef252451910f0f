/* Reports about a received stream: to its sender (RTCP) and to the application (W3C webrtc-stats). */
#include "proto/receiver_internal.h"

void rt_receiver_sender_report(rt_receiver *r, const rt_rtcp_report *report, rt_time now)
{
    if (!report->sender)
        return;
    r->report = *report;
    r->report.block_bytes = (rt_span){0}; /* borrowed from the datagram */
    r->reports++;
    rt_reception_sender_report(&r->reception, rt_ntp_middle(report->ntp), now);
}

bool rt_receiver_report(rt_receiver *r, rt_rtcp_block *out, rt_time now)
{
    return rt_reception_report(&r->reception, r->config.ssrc, out, now);
}

void rt_receiver_get_stats(const rt_receiver *r, rt_receiver_stats *out, rt_time now)
{
    (void)now;
    rt_jitter_stats jitter;
    rt_jitter_get_stats(r->jitter, &jitter);
    *out = r->stats;
    out->packets_lost = rt_reception_lost(&r->reception);
    out->packets_discarded += jitter.discarded;
    out->packets_duplicate += jitter.duplicates;
    out->jumps += jitter.timestamp_jumps;
    out->jitter = r->reception.jitter >> 4;
    out->clock_rate = r->clock_rate;
    out->frames = jitter.frames;
    out->key_frames = jitter.key_frames;
    out->frames_dropped = jitter.frames_dropped;
    out->frames_assembled_multiple = jitter.frames_assembled_multiple;
    out->total_assembly_time = jitter.total_assembly_time;
    out->freezes = jitter.freezes;
    out->total_freezes_duration = jitter.total_freezes_duration;
    out->jitter_buffer_delay = jitter.delay;
    out->jitter_buffer_target_delay = jitter.target_delay_sum;
    out->jitter_buffer_minimum_delay = jitter.minimum_delay;
    out->jitter_buffer_emitted = jitter.emitted;
    out->target_delay = jitter.target_delay;
    out->samples = jitter.samples;
    out->concealed_samples = jitter.concealed_samples;
    out->silent_concealed_samples = jitter.silent_concealed_samples;
    out->concealment_events = jitter.concealment_events;
    out->inserted_samples = jitter.inserted_samples;
    out->removed_samples = jitter.removed_samples;
    out->fec_packets = jitter.redundant;
    out->fec_packets_discarded = jitter.redundant_discarded;
    out->width = jitter.width;
    out->height = jitter.height;
    out->reports = r->reports;
    out->remote_packets = r->report.packets;
    out->remote_bytes = r->report.bytes;
    out->remote_ntp = r->report.ntp;
    out->queued_packets = jitter.packets;
    out->queued_frames = jitter.queued_frames;
}
