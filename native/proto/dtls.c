#include "base/prefetch.h"
#include "proto/dtls_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MTU_MIN 256      /* every record of a flight fits, so that a flight always gets on */
#define MTU_CAUTIOUS 548 /* 576 - IPv4 - UDP: when a flight was lost several times (RFC 6347 section 4.1.1.1) */
#define CAUTIOUS_AFTER 3
#define GOOD_BYES 3   /* copies of close_notify, in a datagram each */
#define HELD_MAX 8192 /* bytes of records kept until the connection opens */

void rt_dtls_config_default(rt_dtls_config *config)
{
    *config = (rt_dtls_config){
        .mtu = 1200,
        .first_timeout = RT_MS(400),
        .last_timeout = RT_SECONDS(8),
        .give_up_after = RT_SECONDS(30),
    };
}

rt_dtls *rt_dtls_new(const rt_dtls_config *config)
{
    assert(config->certificate);
    rt_dtls *dtls = calloc(1, sizeof *dtls);
    rt_dtls_handshake *handshake = calloc(1, sizeof *handshake);
    if (!dtls || !handshake) {
        free(dtls);
        free(handshake);
        return NULL;
    }
    dtls->config = *config;
    if (dtls->config.mtu < MTU_MIN)
        dtls->config.mtu = MTU_MIN;
    dtls->certificate = rt_certificate_ref(config->certificate);
    dtls->handshake = handshake;
    dtls->cipher = "";
    dtls->group = "";
    handshake->retransmit_at = RT_NEVER;
    handshake->give_up_at = RT_NEVER;
    return dtls;
}

static void drop_held(rt_dtls *dtls)
{
    free(dtls->held);
    dtls->held = NULL;
    dtls->held_size = dtls->held_at = 0;
}

void rt_dtls_free(rt_dtls *dtls)
{
    if (!dtls)
        return;
    rt_dtls_handshake_free(dtls);
    rt_dtls_flight_clear(&dtls->flight);
    drop_held(dtls);
    rt_gcm_free(dtls->sealer);
    rt_gcm_free(dtls->opener);
    free(dtls->remote_der);
    free(dtls->reason);
    rt_certificate_free(dtls->certificate);
    rt_wipe(dtls, sizeof *dtls);
    free(dtls);
}

static bool is_over(const rt_dtls *dtls)
{
    return dtls->state == RT_DTLS_CLOSED || dtls->state == RT_DTLS_FAILED;
}

static void set_state(rt_dtls *dtls, rt_dtls_state state)
{
    dtls->state = state;
    dtls->events[(dtls->event_first + dtls->event_count) % EVENTS_MAX] = state;
    dtls->event_count++;
}

static void queue_alert(rt_dtls *dtls, uint8_t level, uint8_t description)
{
    dtls->alert[0] = level;
    dtls->alert[1] = description;
    dtls->alert_epoch = dtls->sealer != NULL;
    dtls->alert_copies = 0;
}

/* To CLOSED or FAILED, with what is not needed any more given back. */
static void end(rt_dtls *dtls, rt_dtls_state state, char *reason)
{
    if (!dtls->reason)
        dtls->reason = reason;
    else
        free(reason);
    if (dtls->handshake && dtls->handshake->ssl)
        rt_dtls_flight_clear(&dtls->flight); /* a last flight still goes out: the alert behind it needs it */
    if (dtls->state == RT_DTLS_CONNECTING)
        drop_held(dtls);
    rt_dtls_handshake_free(dtls);
    set_state(dtls, state);
}

static char *format_reason(const char *format, va_list arguments)
{
    char text[sizeof((rt_dtls_event *)0)->text];
    vsnprintf(text, sizeof text, format, arguments);
    return strdup(text); /* without memory there is no text, and that is all */
}

void rt_dtls_fail(rt_dtls *dtls, int alert, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *reason = is_over(dtls) ? NULL : format_reason(format, arguments);
    va_end(arguments);
    if (is_over(dtls))
        return;
    if (alert >= 0)
        queue_alert(dtls, ALERT_FATAL, (uint8_t)alert);
    end(dtls, RT_DTLS_FAILED, reason);
}

/* The peer is who the fingerprint says: what came early is opened now. */
static void open_connection(rt_dtls *dtls)
{
    set_state(dtls, RT_DTLS_CONNECTED);
    rt_dtls_handshake_free(dtls);
    if (dtls->config.role == RT_DTLS_CLIENT)
        rt_dtls_flight_clear(&dtls->flight); /* a server may have to send its last flight again */
    size_t size;
    for (size_t at = 0; at < dtls->held_size; at += RECORD_HEADER + size) {
        size = rt_load16(dtls->held + at + 11);
        if (rt_dtls_record_open(dtls, dtls->held + at, size) != RT_OK)
            dtls->held[at] = 0;
    }
}

static const char *hash_name(rt_hash hash)
{
    return hash == RT_SHA256 ? "sha-256" : hash == RT_SHA384 ? "sha-384" : "sha-512";
}

void rt_dtls_fail_fingerprint(rt_dtls *dtls, int alert)
{
    rt_dtls_fail(dtls, alert, "the certificate's %s fingerprint does not match",
                 hash_name(dtls->handshake->fingerprints[0].hash));
}

/* The handshake is complete, maybe without a fingerprint to compare with so far. */
static void judge_certificate(rt_dtls *dtls)
{
    if (rt_dtls_fingerprint_matches(dtls, rt_dtls_remote_der(dtls)))
        open_connection(dtls);
    else if (dtls->handshake->fingerprint_count)
        rt_dtls_fail_fingerprint(dtls, ALERT_BAD_CERTIFICATE);
}

static bool matches_connected(const rt_dtls *dtls, rt_hash hash, rt_span digest)
{
    uint8_t actual[RT_HASH_MAX];
    return rt_hash_digest(hash, rt_dtls_remote_der(dtls), actual) == RT_OK &&
           rt_equal_secret(actual, digest.data, digest.size);
}

rt_status rt_dtls_add_fingerprint(rt_dtls *dtls, rt_hash hash, rt_span digest, rt_time now)
{
    if (is_over(dtls))
        return RT_CLOSED;
    if (hash != RT_SHA256 && hash != RT_SHA384 && hash != RT_SHA512)
        return RT_UNSUPPORTED;
    if (digest.size != rt_hash_size(hash))
        return RT_INVALID;
    if (dtls->state == RT_DTLS_CONNECTED)
        return matches_connected(dtls, hash, digest) ? RT_OK : RT_UNAUTHENTICATED;
    rt_dtls_handshake *handshake = dtls->handshake;
    if (handshake->fingerprint_count == FINGERPRINTS_MAX)
        return RT_TOO_LARGE;
    handshake->fingerprints[handshake->fingerprint_count].hash = hash;
    memcpy(handshake->fingerprints[handshake->fingerprint_count++].digest, digest.data, digest.size);
    if (!dtls->remote_der)
        return RT_OK;
    if (rt_dtls_fingerprint_matches(dtls, rt_dtls_remote_der(dtls))) {
        open_connection(dtls);
    } else {
        handshake->mismatch = true; /* the next one may match, and comes before the drain if there is one */
        handshake->retransmit_at = now;
    }
    return RT_OK;
}

/* Feeds OpenSSL and looks at what became of the handshake. */
static rt_status advance(rt_dtls *dtls, rt_span record)
{
    rt_status status = rt_dtls_handshake_feed(dtls, record);
    if (status != RT_OK)
        return status;
    if (!dtls->handshake->ssl)
        judge_certificate(dtls);
    return dtls->state == RT_DTLS_FAILED ? RT_UNAUTHENTICATED : RT_OK;
}

rt_status rt_dtls_start(rt_dtls *dtls, rt_time now)
{
    if (dtls->state != RT_DTLS_NEW)
        return RT_UNEXPECTED;
    rt_status status = rt_dtls_handshake_new(dtls, now);
    if (status != RT_OK) {
        rt_dtls_fail(dtls, -1, "the handshake could not be set up: %s", rt_status_text(status));
        return status;
    }
    set_state(dtls, RT_DTLS_CONNECTING);
    return dtls->config.role == RT_DTLS_CLIENT ? advance(dtls, rt_span_of(NULL, 0)) : RT_OK;
}

static rt_status drop(uint64_t *counter, rt_status status)
{
    ++*counter;
    return status;
}

static rt_status hold(rt_dtls *dtls, const uint8_t *record, size_t size)
{
    if (dtls->held_size + size > HELD_MAX)
        return drop(&dtls->stats.unexpected, RT_AGAIN);
    uint8_t *held = realloc(dtls->held, dtls->held_size + size);
    if (!held)
        return drop(&dtls->stats.unexpected, RT_NO_MEMORY);
    memcpy(held + dtls->held_size, record, size);
    dtls->held = held;
    dtls->held_size += size;
    return RT_OK;
}

static void receive_alert(rt_dtls *dtls, uint8_t level, uint8_t description)
{
    if (description == ALERT_CLOSE_NOTIFY) {
        queue_alert(dtls, ALERT_WARNING, ALERT_CLOSE_NOTIFY); /* RFC 5246 section 7.2.1 wants an answer */
        end(dtls, RT_DTLS_CLOSED, strdup("closed by the peer"));
    } else if (level == ALERT_FATAL) {
        rt_dtls_fail(dtls, -1, "the peer sent alert \"%s\"", SSL_alert_desc_string_long(description));
    }
}

/* After the handshake: what is not application data but was authenticated. */
static rt_status receive_control(rt_dtls *dtls, uint8_t type, rt_span payload)
{
    if (type == CONTENT_ALERT && payload.size == 2) {
        receive_alert(dtls, payload.data[0], payload.data[1]);
        return RT_OK;
    }
    /* The client repeats its Finished, for it has not got ours (RFC 6347 section 4.2.4). Only the side that
     * sent the last flight answers so, or both would answer each other for ever. */
    if (type == CONTENT_HANDSHAKE && payload.size >= HANDSHAKE_HEADER && payload.data[0] == HANDSHAKE_FINISHED) {
        if (dtls->config.role == RT_DTLS_SERVER) {
            rt_dtls_flight_rewind(&dtls->flight);
            dtls->stats.flights_retransmitted++;
        }
        return RT_OK;
    }
    return drop(&dtls->stats.unexpected, RT_UNEXPECTED);
}

/* One whole record; RT_OK with `deliver` when it is application data to be read. */
static rt_status receive_record(rt_dtls *dtls, uint8_t *record, size_t size, bool *deliver)
{
    uint8_t type = record[0];
    uint16_t epoch = rt_load16(record + 3);
    bool handshaking = dtls->handshake && dtls->handshake->ssl;
    if (is_over(dtls) || dtls->state == RT_DTLS_NEW || epoch > 1 ||
        (epoch == 0 && (!handshaking || type == CONTENT_APPLICATION)))
        return drop(&dtls->stats.unexpected, RT_UNEXPECTED);
    if (type == CONTENT_APPLICATION && dtls->state != RT_DTLS_CONNECTED)
        return hold(dtls, record, RECORD_HEADER + size);
    if (handshaking) {
        rt_status status = advance(dtls, rt_span_of(record, RECORD_HEADER + size));
        bool complete = !dtls->handshake || !dtls->handshake->ssl;
        if (status == RT_OK && epoch == 1 && complete)
            rt_dtls_window_mark(&dtls->window, rt_load64(record + 3) & SEQUENCE_MAX); /* the Finished */
        return status;
    }
    rt_status status = rt_dtls_record_open(dtls, record, size);
    if (status != RT_OK)
        return status;
    if (type == CONTENT_APPLICATION) {
        *deliver = true;
        return RT_OK;
    }
    return receive_control(dtls, type, rt_span_of(record + RT_DTLS_HEADROOM, size - RECORD_SEALED));
}

/* Opens all records of a datagram. The type of each that is not to be read is set to 0, in its place. */
static rt_status receive_records(rt_dtls *dtls, rt_buffer datagram)
{
    rt_status result = RT_OK;
    for (size_t left = datagram.size; left > 0;) {
        uint8_t *record = dtls->end;
        size_t size = left >= RECORD_HEADER ? rt_load16(record + 11) : 0;
        if (left < RECORD_HEADER || record[0] < CONTENT_CHANGE_CIPHER_SPEC || record[0] > CONTENT_APPLICATION ||
            record[1] != 0xfe || size > left - RECORD_HEADER || size > RECORD_MAX + RECORD_SEALED)
            return drop(&dtls->stats.malformed, RT_MALFORMED);
        bool deliver = false;
        rt_status status = receive_record(dtls, record, size, &deliver);
        if (!deliver)
            record[0] = 0;
        if (status != RT_OK)
            result = status;
        dtls->end += RECORD_HEADER + size;
        left -= RECORD_HEADER + size;
    }
    return result;
}

rt_status rt_dtls_receive(rt_dtls *dtls, rt_buffer datagram, rt_time now)
{
    dtls->at = dtls->end = datagram.data;
    if (dtls->state == RT_DTLS_NEW && dtls->config.role == RT_DTLS_SERVER)
        (void)rt_dtls_start(dtls, now); /* FAILED, with its reason, if that was impossible */
    rt_status status = receive_records(dtls, datagram);
    if (dtls->state == RT_DTLS_CONNECTING)
        dtls->at = dtls->end; /* what is held was copied: nothing here outlives the call */
    return status;
}

/* The next application record of a run of opened ones. */
static bool next_record(rt_dtls *dtls, uint8_t **at, const uint8_t *stop, rt_span *out)
{
    while (*at < stop) {
        uint8_t *record = *at;
        size_t size = rt_load16(record + 11);
        *at += RECORD_HEADER + size;
        if (record[0] == CONTENT_APPLICATION) {
            *out = rt_span_of(record + RT_DTLS_HEADROOM, size - RECORD_SEALED);
            dtls->stats.records_received++;
            dtls->stats.bytes_received += out->size;
            return true;
        }
    }
    return false;
}

bool rt_dtls_read(rt_dtls *dtls, rt_span *out)
{
    if (dtls->held) {
        if (dtls->state == RT_DTLS_CONNECTING)
            return false;
        uint8_t *at = dtls->held + dtls->held_at;
        bool found = next_record(dtls, &at, dtls->held + dtls->held_size, out);
        dtls->held_at = (size_t)(at - dtls->held);
        if (found)
            return true;
        drop_held(dtls);
    }
    return next_record(dtls, &dtls->at, dtls->end, out);
}

rt_status rt_dtls_seal(rt_dtls *dtls, rt_packet *packet)
{
    if (dtls->state != RT_DTLS_CONNECTED)
        return RT_UNEXPECTED;
    if (packet->size > RECORD_MAX)
        return RT_TOO_LARGE;
    uint8_t *record = packet->data - RT_DTLS_HEADROOM;
    rt_status status = rt_dtls_record_seal(dtls, record, CONTENT_APPLICATION, DTLS_1_2, 1, packet->size);
    if (status != RT_OK)
        return status;
    dtls->stats.records_sent++;
    dtls->stats.bytes_sent += packet->size;
    packet->data = record;
    packet->size += RT_DTLS_OVERHEAD;
    return RT_OK;
}

static size_t transmit_alert(rt_dtls *dtls, rt_batch *out)
{
    size_t overhead = rt_dtls_record_overhead(dtls->alert_epoch);
    uint8_t *record = rt_batch_reserve(out, overhead + sizeof dtls->alert);
    if (!record)
        return 0;
    memcpy(record + (dtls->alert_epoch ? RT_DTLS_HEADROOM : RECORD_HEADER), dtls->alert, sizeof dtls->alert);
    rt_status status =
        rt_dtls_record_seal(dtls, record, CONTENT_ALERT, DTLS_1_2, dtls->alert_epoch, sizeof dtls->alert);
    if (dtls->alert_copies && status == RT_OK)
        dtls->alert_copies--;
    else
        dtls->alert[0] = 0;
    if (status != RT_OK)
        return 0; /* the peer learns of the end by other means */
    (void)rt_batch_commit(out, overhead + sizeof dtls->alert);
    return 1;
}

size_t rt_dtls_transmit(rt_dtls *dtls, rt_batch *out, rt_time now)
{
    if (dtls->handshake && dtls->handshake->mismatch)
        rt_dtls_fail_fingerprint(dtls, ALERT_BAD_CERTIFICATE);
    rt_dtls_handshake *handshake = dtls->handshake;
    size_t count = 0;
    if (rt_dtls_flight_waits(&dtls->flight)) {
        size_t mtu = dtls->config.mtu;
        if (handshake && handshake->timeouts >= CAUTIOUS_AFTER && mtu > MTU_CAUTIOUS)
            mtu = MTU_CAUTIOUS;
        count = rt_dtls_flight_transmit(dtls, mtu, out);
        if (dtls->handshake && handshake->ssl && !rt_dtls_flight_waits(&dtls->flight))
            handshake->retransmit_at = rt_time_after(now, handshake->timeout);
    }
    if (dtls->alert[0] && !rt_dtls_flight_waits(&dtls->flight)) {
        size_t sent;
        do {
            sent = transmit_alert(dtls, out);
            count += sent;
        } while (dtls->alert[0] && sent);
    }
    return count;
}

rt_time rt_dtls_deadline(const rt_dtls *dtls)
{
    const rt_dtls_handshake *handshake = dtls->handshake;
    return handshake ? rt_time_min(handshake->retransmit_at, handshake->give_up_at) : RT_NEVER;
}

void rt_dtls_expire(rt_dtls *dtls, rt_time now)
{
    rt_dtls_handshake *handshake = dtls->handshake;
    if (!handshake)
        return;
    if (handshake->mismatch) {
        rt_dtls_fail_fingerprint(dtls, ALERT_BAD_CERTIFICATE);
    } else if (now >= handshake->give_up_at) {
        rt_dtls_fail(dtls, -1, "%s within %.3g s",
                     handshake->ssl ? "the handshake was not complete" : "the peer's fingerprint was not given",
                     (double)dtls->config.give_up_after / 1e9);
    } else if (now >= handshake->retransmit_at) {
        rt_time last = dtls->config.last_timeout;
        handshake->timeout = handshake->timeout > last / 2 ? last : 2 * handshake->timeout;
        handshake->timeouts++;
        handshake->retransmit_at = RT_NEVER; /* set when all of it is sent */
        rt_dtls_flight_rewind(&dtls->flight);
        dtls->stats.flights_retransmitted++;
    }
}

void rt_dtls_close(rt_dtls *dtls, rt_time now)
{
    (void)now;
    if (dtls->state == RT_DTLS_CLOSED)
        return;
    if (dtls->state == RT_DTLS_CONNECTING || dtls->state == RT_DTLS_CONNECTED)
        queue_alert(dtls, ALERT_WARNING, ALERT_CLOSE_NOTIFY);
    /* Nobody repeats a good-bye, and without one the peer waits for its consent checks to fail: half a minute.
     * Each copy is a record of its own; those behind the first that arrives are dropped as any record then. */
    dtls->alert_copies = GOOD_BYES - 1;
    end(dtls, RT_DTLS_CLOSED, NULL);
}

rt_dtls_state rt_dtls_get_state(const rt_dtls *dtls)
{
    return dtls->state;
}

void rt_dtls_prefetch(const rt_dtls *dtls)
{
    RT_PREFETCH_FROM(dtls, rt_dtls, state, alert_copies);
    RT_PREFETCH_FROM(dtls, rt_dtls, event_first, event_count);
}

bool rt_dtls_event_next(rt_dtls *dtls, rt_dtls_event *out)
{
    if (dtls->event_count == 0)
        return false;
    *out = (rt_dtls_event){.type = RT_DTLS_EVENT_STATE, .state = dtls->events[dtls->event_first]};
    dtls->event_first = (uint8_t)((dtls->event_first + 1) % EVENTS_MAX);
    dtls->event_count--;
    if (dtls->reason && (out->state == RT_DTLS_FAILED || out->state == RT_DTLS_CLOSED))
        snprintf(out->text, sizeof out->text, "%s", dtls->reason);
    return true;
}

rt_status rt_dtls_export(rt_dtls *dtls, rt_span label, rt_buffer out)
{
    if (dtls->state != RT_DTLS_CONNECTED)
        return RT_UNEXPECTED;
    return out.size ? rt_dtls_prf(dtls, label, true, out) : RT_INVALID;
}

uint16_t rt_dtls_srtp_profile(const rt_dtls *dtls)
{
    return dtls->srtp_profile;
}

const char *rt_dtls_cipher(const rt_dtls *dtls)
{
    return dtls->cipher;
}

const char *rt_dtls_group(const rt_dtls *dtls)
{
    return dtls->group;
}

rt_span rt_dtls_remote_der(const rt_dtls *dtls)
{
    return rt_span_of(dtls->remote_der, dtls->remote_der_size);
}

rt_dtls_role rt_dtls_get_role(const rt_dtls *dtls)
{
    return dtls->config.role;
}

void rt_dtls_get_stats(const rt_dtls *dtls, rt_dtls_stats *out)
{
    *out = dtls->stats;
}
