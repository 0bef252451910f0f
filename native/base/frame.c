#include "base/frame.h"

#include <stdlib.h>
#include <string.h>

rt_frame *rt_frame_new(size_t capacity)
{
    rt_frame *frame = malloc(sizeof *frame + capacity);
    if (!frame)
        return NULL;
    memset(frame, 0, sizeof *frame);
    atomic_init(&frame->references, 1);
    frame->audio_level = RT_FRAME_NO_LEVEL;
    frame->capacity = capacity;
    return frame;
}

void rt_frame_unref(rt_frame *frame)
{
    if (frame && atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1)
        free(frame);
}
