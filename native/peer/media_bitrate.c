#include "peer/media_internal.h"

/* The target of the transport, shared out:
 *
 *   audio    first, up to its limits, yet no more than half where there is video too
 *   video    the lowest encodings of all sections, evenly, each up to its limit; of the rest the next ones, and so on
 *
 * An encoding above the lowest that would get less than is worth sending is paused (bitrate 0): what it would have
 * had goes on. Told are changes of a twentieth or more. */

enum {
    AUDIO_LIMIT = 64000,    /* where the application sets none */
    AUDIO_HEADERS = 16000,  /* RTP, SRTP: 50 packets of 40 bytes a second */
    WORTH_SENDING = 150000, /* an encoding above the lowest, of unknown limit */
    WORTH_PART = 3,         /* of a limit that is known */
    STEP = 20,
    WANT_PERCENT = 125, /* with the headers of video */
    SILENT = 255,       /* rank of a stream that does not send */
};

#define LIMIT_MOST UINT64_C(100000000000) /* bit/s; as good as none */
#define OPEN UINT64_MAX                   /* not given anything as yet */

static uint64_t limit_of(const rt_media_outbound *stream)
{
    if (stream->max_bitrate)
        return stream->max_bitrate;
    return stream->line->video ? UINT64_MAX : AUDIO_LIMIT;
}

/* How many of its section's encodings stand below it. */
static uint8_t rank_of(const rt_media_outbound *stream)
{
    uint8_t rank = 0;
    uint64_t mine = limit_of(stream);
    if (!rt_media_sends(stream))
        return SILENT;
    for (uint8_t i = 0; i < stream->line->outbound_count; i++) {
        const rt_media_outbound *other = stream->line->outbound[i];
        uint64_t theirs = limit_of(other);
        if (other != stream && rt_media_sends(other))
            rank += theirs < mine || (theirs == mine && other->encoding < stream->encoding);
    }
    return rank;
}

typedef struct group { /* those that share evenly */
    rt_media *media;
    bool video;
    uint8_t rank;
    uint32_t at;
} group;

static rt_media_outbound *next(group *g)
{
    while (g->at < g->media->outbound_count) {
        rt_media_outbound *stream = g->media->outbound[g->at++];
        if (stream->line->video == g->video && stream->rank == g->rank)
            return stream;
    }
    return NULL;
}

static rt_media_outbound *first(group *g)
{
    g->at = 0;
    return next(g);
}

/* Evenly, and what one cannot take goes to the others. Returns what is left. */
static uint64_t fill(group *g, uint64_t left)
{
    uint64_t open = 0;
    for (rt_media_outbound *s = first(g); s; s = next(g), open++)
        s->given = OPEN;
    for (bool capped = true; capped && open > 0;) {
        uint64_t each = left / open;
        capped = false;
        for (rt_media_outbound *s = first(g); s; s = next(g)) {
            if (s->given != OPEN || limit_of(s) > each)
                continue;
            s->given = limit_of(s);
            left -= s->given;
            open--;
            capped = true;
        }
    }
    uint64_t each = open ? left / open : 0;
    for (rt_media_outbound *s = first(g); s; s = next(g)) {
        if (s->given == OPEN)
            s->given = each;
    }
    return left - open * each;
}

static uint64_t worth(const rt_media_outbound *stream)
{
    uint64_t least = stream->max_bitrate ? stream->max_bitrate / WORTH_PART : WORTH_SENDING;
    return stream->target ? least : least + least / 5; /* one that is paused comes back a little later */
}

static void set_target(rt_media *media, rt_media_outbound *stream, uint64_t target)
{
    uint64_t told = stream->told, step = told / STEP;
    bool turns = told == RT_MEDIA_UNTOLD || (told == 0) != (target == 0);
    stream->target = target;
    stream->bitrate_changed = turns || target > told + step || target + step < told;
    media->tell = media->tell || stream->bitrate_changed;
}

static uint64_t give_audio(rt_media *media, uint64_t target, bool video)
{
    group audio = {.media = media, .video = false};
    uint64_t room = video ? target / 2 : target;
    uint64_t used = room - fill(&audio, room);
    for (rt_media_outbound *s = first(&audio); s; s = next(&audio)) {
        set_target(media, s, s->given);
        used += AUDIO_HEADERS;
    }
    return used < target ? target - used : 0;
}

static uint64_t give_video(rt_media *media, uint8_t rank, uint64_t left)
{
    group video = {.media = media, .video = true, .rank = rank};
    left = fill(&video, left);
    for (rt_media_outbound *s = first(&video); s; s = next(&video)) {
        bool paused = rank > 0 && s->given < worth(s);
        left += paused ? s->given : 0;
        set_target(media, s, paused ? 0 : s->given);
    }
    return left;
}

/* What the transport would have to take for the lowest paused encodings to be worth sending, and some more, since a probe
 * finds a little less than its rate; 0: none is paused, or what is below takes all there is. */
static uint64_t wanted(rt_media *media, uint8_t ranks, uint64_t audio)
{
    uint64_t below = 0;
    for (uint8_t rank = 0; rank < ranks; rank++) {
        group video = {.media = media, .video = true, .rank = rank};
        uint64_t limits = 0, needs = 0;
        bool paused = false;
        for (rt_media_outbound *s = first(&video); s; s = next(&video)) {
            paused = paused || s->target == 0;
            needs += worth(s) < LIMIT_MOST ? worth(s) : LIMIT_MOST;
            limits += limit_of(s) < LIMIT_MOST ? limit_of(s) : LIMIT_MOST;
        }
        if (paused)
            return below < LIMIT_MOST ? audio + (below + needs) * WANT_PERCENT / 100 : 0;
        below += limits;
    }
    return 0;
}

void rt_media_distribute(rt_media *media, rt_time now)
{
    uint8_t ranks = 0; /* of video */
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        rt_media_outbound *stream = media->outbound[i];
        stream->rank = rank_of(stream);
        if (stream->rank == SILENT) { /* begins anew when it sends again */
            stream->target = 0;
            stream->told = RT_MEDIA_UNTOLD;
            stream->bitrate_changed = false;
        } else if (stream->line->video && stream->rank >= ranks) {
            ranks = (uint8_t)(stream->rank + 1);
        }
    }
    uint64_t target = rt_bandwidth_target(media->bandwidth);
    uint64_t left = give_audio(media, target, ranks > 0), audio = target - left;
    left -= left / STEP; /* headers of video */
    for (uint8_t rank = 0; rank < ranks; rank++)
        left = give_video(media, rank, left);
    rt_bandwidth_want(media->bandwidth, wanted(media, ranks, audio), now);
    rt_media_begin_probe(media, now);
    rt_pacer_set_rate(&media->pacer, rt_bandwidth_pacing_rate(media->bandwidth), now);
}

uint64_t rt_media_bitrate(const rt_media *media, uint8_t section, uint8_t encoding)
{
    const rt_media_line *line = media->lines[section];
    return line && encoding < line->outbound_count ? line->outbound[encoding]->target : 0;
}

void rt_media_set_bitrate(rt_media *media, uint64_t min, uint64_t start, uint64_t max, rt_time now)
{
    rt_bandwidth_set_limits(media->bandwidth, min, start, max, now);
    rt_media_distribute(media, now);
}
