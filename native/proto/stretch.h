/* Audio made a little longer, shorter, or up: pitch-synchronous time stretching and concealment of int16 PCM.
 *
 * A voice repeats itself every 2.5 to 15 ms. Leaving out one such period, or playing one twice, changes the length and
 * not the pitch (WSOLA); the last one again and again, softer and softer, fills the place of what was lost (as ITU-T
 * G.711 appendix I does). All joints are cross-faded where the signal is most like itself.
 *
 *   in        ... past | a a a a | b b b b | c c c c |
 *   shorter   ... past | a fades into b | c c c c |            a period less
 *   longer    ... past | a fades into the end of past | a a a a | b b b b | c c c c |     a period more
 *
 * Samples are interleaved; a count is one of samples per channel. All that is played goes through it, in order.
 * One thread at a time; no allocation after _new. Some 10 us for a period, next to nothing otherwise.
 */
#ifndef RT_PROTO_STRETCH_H
#define RT_PROTO_STRETCH_H

#include <stddef.h>
#include <stdint.h>

#define RT_STRETCH_RATE_MIN 8000
#define RT_STRETCH_RATE_MAX 192000
#define RT_STRETCH_CHANNELS_MAX 8

typedef struct rt_stretch rt_stretch;

/* NULL: out of these bounds, or no memory. */
rt_stretch *rt_stretch_new(uint32_t rate, uint32_t channels);
void rt_stretch_free(rt_stretch *stretch);

/* Samples per channel that pass() may write. */
size_t rt_stretch_room(const rt_stretch *stretch, size_t count, int32_t change);
/* `count` samples, to be played `change` longer (or shorter): the wish is met by whole periods, so that what is
 * written differs from it by less than 15 ms; the difference is kept for the next call. A wish that finds no period
 * waits for the next call, too. After a concealment the beginning fades in. Returns how many were written. */
size_t rt_stretch_pass(rt_stretch *stretch, const int16_t *in, size_t count, int32_t change, int16_t *out);
/* `count` samples that go on from what was played last: full for 20 ms, silent after 120 ms. */
void rt_stretch_conceal(rt_stretch *stretch, int16_t *out, size_t count);

/* What of all wishes so far was not met yet. */
int32_t rt_stretch_owed(const rt_stretch *stretch);

#endif
