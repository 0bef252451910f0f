#include "proto/srtp_index.h"

/* Nothing is before the first roll-over counter. */
static uint64_t estimate(const rt_srtp_index *index, uint16_t sequence)
{
    const uint32_t half = 32768;
    uint64_t counter = index->highest >> 16;
    uint32_t last = (uint16_t)index->highest;
    if (last < half && sequence > last + half && counter > 0)
        counter--;
    else if (last >= half && sequence < last - half)
        counter++;
    return counter << 16 | sequence;
}

static uint64_t *word_of(const rt_srtp_index *index, uint64_t which)
{
    return &index->sent[which / 64 % rt_srtp_index_words(index->window)];
}

static uint64_t bit_of(uint64_t which)
{
    return (uint64_t)1 << which % 64;
}

rt_status rt_srtp_index_claim(const rt_srtp_index *index, uint16_t sequence, uint64_t *out, bool *old)
{
    *out = estimate(index, sequence);
    *old = false;
    if (*out >> 48)
        return RT_CLOSED;
    if (!index->started || *out > index->highest)
        return RT_OK;
    *old = index->highest - *out >= index->window;
    bool used = !*old && !index->repeats && (*word_of(index, *out) & bit_of(*out));
    return *old || used ? RT_REPLAYED : RT_OK;
}

void rt_srtp_index_note(rt_srtp_index *index, uint64_t used)
{
    uint64_t before = index->started ? index->highest : used;
    if (used > before || !index->started)
        index->highest = used;
    index->started = true;
    if (index->repeats)
        return;
    uint64_t places = 64 * (uint64_t)rt_srtp_index_words(index->window);
    for (uint64_t i = 0; i < index->highest - before && i < places; i++) /* their places were those of others */
        *word_of(index, index->highest - i) &= ~bit_of(index->highest - i);
    *word_of(index, used) |= bit_of(used);
}
