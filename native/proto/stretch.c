#include "proto/stretch.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COARSE_RATE = 8000 }; /* periods are looked for at about this rate, then refined */

#define SHORTEST 0.0025 /* seconds: 400 Hz */
#define LONGEST 0.015   /* 67 Hz */
#define WINDOW 0.006    /* that is compared */
#define FADE 0.005      /* of a joint */
#define HOLD 0.02       /* of a concealment, at full level */
#define DECAY 0.1       /* from then on until it is silent */
#define OWED_MOST 0.1
#define ALIKE 0.85f /* correlation from which on a joint is not heard */
#define QUIET 1e-4f /* mean square of full scale 1 below which none is */

struct rt_stretch {
    uint32_t rate, channels, step; /* `step` samples are one at the coarse rate */
    size_t shortest, longest, window, fade;
    size_t kept;    /* samples of the past */
    int16_t *past;  /* what was played last, interleaved */
    int16_t *joint; /* scratch: a fade, or a cycle of a concealment */
    float *mono;    /* scratch: the past, and what comes */
    float *coarse;  /* the same at the coarse rate */
    int32_t owed;   /* longer is positive */
    size_t made_up; /* samples since the last real one */
    size_t cycle;   /* length of what is repeated meanwhile */
    size_t phase;   /* in it */
};

static size_t samples(const rt_stretch *s, double seconds)
{
    size_t count = (size_t)(seconds * s->rate + 0.5);
    return (count + s->step - 1) / s->step * s->step;
}

/* What of the coming is looked at: two periods and a window. */
static size_t ahead(const rt_stretch *s)
{
    return s->longest + s->window + 2 * s->step;
}

rt_stretch *rt_stretch_new(uint32_t rate, uint32_t channels)
{
    if (rate < RT_STRETCH_RATE_MIN || rate > RT_STRETCH_RATE_MAX || !channels || channels > RT_STRETCH_CHANNELS_MAX)
        return NULL;
    rt_stretch *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->rate = rate;
    s->channels = channels;
    s->step = rate / COARSE_RATE;
    s->shortest = samples(s, SHORTEST);
    s->longest = samples(s, LONGEST);
    s->window = samples(s, WINDOW);
    s->fade = samples(s, FADE);
    s->kept = 2 * s->longest + s->window;
    s->past = calloc(s->kept * channels, sizeof *s->past);
    s->joint = malloc(s->longest * channels * sizeof *s->joint);
    s->mono = malloc((s->kept + ahead(s)) * sizeof *s->mono);
    s->coarse = malloc((s->kept + ahead(s)) / s->step * sizeof *s->coarse);
    if (!s->past || !s->joint || !s->mono || !s->coarse) {
        rt_stretch_free(s);
        return NULL;
    }
    return s;
}

void rt_stretch_free(rt_stretch *s)
{
    if (!s)
        return;
    free(s->past);
    free(s->joint);
    free(s->mono);
    free(s->coarse);
    free(s);
}

int32_t rt_stretch_owed(const rt_stretch *s)
{
    return s->owed;
}

static void remember(rt_stretch *s, const int16_t *played, size_t count)
{
    size_t width = s->channels;
    if (count >= s->kept) {
        memcpy(s->past, played + (count - s->kept) * width, s->kept * width * sizeof *played);
        return;
    }
    memmove(s->past, s->past + count * width, (s->kept - count) * width * sizeof *played);
    memcpy(s->past + (s->kept - count) * width, played, count * width * sizeof *played);
}

static int16_t mixed(int16_t from, int16_t to, size_t at, size_t length)
{
    return (int16_t)(((int64_t)from * (int64_t)(length - at) + (int64_t)to * (int64_t)at) / (int64_t)length);
}

/* ---- periods ---- */

static void mix_down(const rt_stretch *s, const int16_t *in, size_t count, float *out)
{
    float scale = 1 / (32768.0f * (float)s->channels);
    for (size_t i = 0; i < count; i++, in += s->channels) {
        int32_t sum = 0;
        for (uint32_t c = 0; c < s->channels; c++)
            sum += in[c];
        out[i] = (float)sum * scale;
    }
}

/* The past, and `count` of what comes behind it, for find(). */
static size_t look(rt_stretch *s, const int16_t *in, size_t count)
{
    if (count > ahead(s))
        count = ahead(s);
    mix_down(s, s->past, s->kept, s->mono);
    mix_down(s, in, count, s->mono + s->kept);
    size_t all = (s->kept + count) / s->step;
    for (size_t i = 0; i < all; i++) {
        float sum = 0;
        for (uint32_t k = 0; k < s->step; k++)
            sum += s->mono[i * s->step + k];
        s->coarse[i] = sum / (float)s->step;
    }
    return count;
}

static float likeness(const float *a, const float *b, size_t count)
{
    float product = 0, of_a = 0, of_b = 0;
    for (size_t i = 0; i < count; i++) {
        product += a[i] * b[i];
        of_a += a[i] * a[i];
        of_b += b[i] * b[i];
    }
    float both = of_a * of_b;
    return both > 0 ? product / sqrtf(both) : 0;
}

static size_t best_of(const float *signal, size_t at, int direction, size_t from, size_t to, size_t window, float *like)
{
    size_t best = from;
    *like = -1;
    for (size_t lag = from; lag <= to; lag++) {
        float now = likeness(signal + at, direction < 0 ? signal + at - lag : signal + at + lag, window);
        if (now > *like) {
            *like = now;
            best = lag;
        }
    }
    return best;
}

/* The lag, up to `longest`, at which the window at `at` is most like what is before it (direction -1) or behind it (1).
 * `sure`: enough alike for a joint that is not heard. */
static size_t find(const rt_stretch *s, size_t at, int direction, size_t longest, size_t window, bool *sure)
{
    float like, energy = 0;
    size_t lag =
        best_of(s->coarse, at / s->step, direction, s->shortest / s->step, longest / s->step, window / s->step, &like) *
        s->step;
    size_t from = lag > s->shortest + s->step ? lag - s->step : s->shortest;
    size_t to = lag + s->step < longest ? lag + s->step : longest;
    lag = best_of(s->mono, at, direction, from, to, window, &like);
    for (size_t i = 0; i < window; i++)
        energy += s->mono[at + i] * s->mono[at + i];
    *sure = like >= ALIKE || energy < QUIET * (float)window;
    return lag;
}

/* The longest lag that brings the length nearer to what is owed. */
static size_t useful(const rt_stretch *s, int32_t owed)
{
    size_t most = 2 * (size_t)owed;
    return most < s->shortest ? 0 : most < s->longest ? most / s->step * s->step : s->longest;
}

/* ---- longer and shorter ---- */

/* From `from` into `to`, `length` samples. */
static void cross(const rt_stretch *s, const int16_t *from, const int16_t *to, size_t length, int16_t *out)
{
    for (size_t i = 0; i < length; i++)
        for (uint32_t c = 0; c < s->channels; c++)
            out[i * s->channels + c] = mixed(from[i * s->channels + c], to[i * s->channels + c], i + 1, length + 1);
}

/* Plays the last period of the past once more before `in`. Returns how much was written: none, if there is no period. */
static size_t repeat(rt_stretch *s, const int16_t *in, size_t count, int16_t *out)
{
    size_t width = s->channels;
    bool sure;
    if (count < s->window)
        return 0;
    (void)look(s, in, count);
    size_t lag = find(s, s->kept, -1, useful(s, s->owed), s->window, &sure);
    if (!sure && (size_t)s->owed < s->longest)
        return 0;
    size_t fade = lag < s->fade ? lag : s->fade;
    const int16_t *again = s->past + (s->kept - lag) * width;
    cross(s, in, again, fade, out);
    memcpy(out + fade * width, again + fade * width, (lag - fade) * width * sizeof *out);
    s->owed -= (int32_t)lag;
    remember(s, out, lag);
    return lag;
}

/* Leaves a period of `in` out, up to `*taken`, by fading over it. */
static size_t leave_out(rt_stretch *s, const int16_t *in, size_t count, int16_t *out, size_t *taken)
{
    size_t longest = useful(s, -s->owed);
    bool sure;
    if (count < s->shortest + s->window)
        return 0;
    count = look(s, in, count);
    if (longest > count - s->window)
        longest = (count - s->window) / s->step * s->step;
    if (longest < s->shortest)
        return 0;
    size_t lag = find(s, s->kept, 1, longest, s->window, &sure);
    if (!sure && (size_t)-s->owed < s->longest)
        return 0;
    size_t fade = lag < s->fade ? lag : s->fade;
    cross(s, in, in + lag * s->channels, fade, out);
    s->owed += (int32_t)lag;
    *taken = lag + fade;
    remember(s, out, fade);
    return fade;
}

size_t rt_stretch_room(const rt_stretch *s, size_t count, int32_t change)
{
    int64_t longer = (int64_t)s->owed + change;
    size_t most = samples(s, OWED_MOST);
    return count + s->longest + (longer <= 0 ? 0 : (size_t)longer < most ? (size_t)longer : most);
}

static void owe(rt_stretch *s, int32_t change)
{
    int64_t most = (int64_t)samples(s, OWED_MOST), owed = (int64_t)s->owed + change;
    s->owed = (int32_t)(owed > most ? most : owed < -most ? -most : owed);
}

/* ---- concealment ---- */

/* One cycle that can be repeated: whole periods from the end of the past, its end fading into what was before its
 * beginning. True if it is alike enough to go on from the past at once. */
static bool make_cycle(rt_stretch *s)
{
    size_t width = s->channels;
    bool sure;
    (void)look(s, NULL, 0);
    size_t window = s->longest - s->longest % s->step;
    size_t period = find(s, s->kept - window, -1, s->longest, window, &sure);
    s->cycle = s->longest / period * period;
    const int16_t *last = s->past + (s->kept - s->cycle) * width;
    memcpy(s->joint, last, s->cycle * width * sizeof *s->joint);
    size_t fade = period < s->fade ? period : s->fade, begin = s->cycle - fade;
    if (s->cycle + fade <= s->kept)
        cross(s, last + begin * width, last - fade * width, fade, s->joint + begin * width);
    s->phase = 0;
    return sure;
}

static float level(const rt_stretch *s, size_t made_up)
{
    float past = (float)made_up / (float)s->rate - (float)HOLD;
    return past <= 0 ? 1 : past >= (float)DECAY ? 0 : 1 - past / (float)DECAY;
}

static int16_t clip(float value)
{
    return (int16_t)lrintf(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

void rt_stretch_conceal(rt_stretch *s, int16_t *out, size_t count)
{
    size_t width = s->channels;
    bool smooth = !s->made_up && make_cycle(s);            /* noise needs no joint, and would get a thump */
    const int16_t *last = s->past + (s->kept - 1) * width; /* played last, and what the cycle thinks was */
    const int16_t *before = s->past + (s->kept - 1 - s->cycle) * width;
    float jump[RT_STRETCH_CHANNELS_MAX] = {0};
    for (uint32_t c = 0; c < width && smooth; c++)
        jump[c] = (float)last[c] - (float)before[c];
    for (size_t i = 0; i < count; i++) {
        float gain = level(s, s->made_up + i);
        float rest = !smooth || i >= s->fade ? 0 : 1 - (float)(i + 1) / (float)(s->fade + 1);
        for (uint32_t c = 0; c < width; c++)
            out[i * width + c] = clip(gain * ((float)s->joint[s->phase * width + c] + rest * jump[c]));
        if (++s->phase == s->cycle)
            s->phase = 0;
    }
    s->made_up += count;
    remember(s, out, count);
}

/* The beginning of `in` fades in over the concealment going on. */
static size_t merge(rt_stretch *s, const int16_t *in, size_t count, int16_t *out)
{
    size_t width = s->channels, length = count < s->fade ? count : s->fade;
    for (size_t i = 0; i < length; i++) {
        float gain = level(s, s->made_up + i);
        for (uint32_t c = 0; c < width; c++)
            out[i * width + c] =
                mixed(clip(gain * (float)s->joint[s->phase * width + c]), in[i * width + c], i + 1, length + 1);
        if (++s->phase == s->cycle)
            s->phase = 0;
    }
    s->made_up = 0;
    remember(s, out, length);
    return length;
}

size_t rt_stretch_pass(rt_stretch *s, const int16_t *in, size_t count, int32_t change, int16_t *out)
{
    size_t width = s->channels, written = 0;
    owe(s, change);
    if (s->made_up && count) {
        written = merge(s, in, count, out);
        in += written * width;
        count -= written;
    }
    while (useful(s, s->owed > 0 ? s->owed : -s->owed)) {
        size_t taken = 0, more;
        if (s->owed > 0)
            more = repeat(s, in, count, out + written * width);
        else
            more = leave_out(s, in, count, out + written * width, &taken);
        if (!more)
            break;
        written += more;
        in += taken * width;
        count -= taken;
    }
    memcpy(out + written * width, in, count * width * sizeof *out);
    remember(s, in, count);
    return written + count;
}
