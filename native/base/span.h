/* Bytes in memory that somebody else owns, and bounded reading and writing of them.
 *
 * A reader or writer never leaves its span: a read past the end yields zeros and sets `failed`, so a
 * parser reads a whole structure and asks once, with rt_reader_ok(), whether all of it was there.
 * Integers are in network byte order unless the name says otherwise.
 */
#ifndef RT_BASE_SPAN_H
#define RT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct rt_span {
    const uint8_t *data;
    size_t size;
} rt_span;

typedef struct rt_buffer {
    uint8_t *data;
    size_t size;
} rt_buffer;

static inline rt_span rt_span_of(const void *data, size_t size)
{
    return (rt_span){(const uint8_t *)data, size};
}

static inline rt_span rt_span_text(const char *text)
{
    return (rt_span){(const uint8_t *)text, strlen(text)};
}

static inline rt_buffer rt_buffer_of(void *data, size_t size)
{
    return (rt_buffer){(uint8_t *)data, size};
}

static inline rt_span rt_buffer_span(rt_buffer buffer)
{
    return (rt_span){buffer.data, buffer.size};
}

static inline bool rt_span_equal(rt_span a, rt_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline uint16_t rt_load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rt_load24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t rt_load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t rt_load64(const uint8_t *p)
{
    return (uint64_t)rt_load32(p) << 32 | rt_load32(p + 4);
}

static inline void rt_store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void rt_store24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

static inline void rt_store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void rt_store64(uint8_t *p, uint64_t v)
{
    rt_store32(p, (uint32_t)(v >> 32));
    rt_store32(p + 4, (uint32_t)v);
}

typedef struct rt_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} rt_reader;

static inline rt_reader rt_reader_of(rt_span span)
{
    return (rt_reader){span.data, span.data + span.size, false};
}

static inline bool rt_reader_ok(const rt_reader *r)
{
    return !r->failed;
}

static inline size_t rt_reader_left(const rt_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next `size` bytes, borrowed from the span; on a short span an empty span, and `failed`. */
static inline rt_span rt_read_span(rt_reader *r, size_t size)
{
    if (rt_reader_left(r) < size) {
        r->failed = true;
        r->at = r->end;
        return (rt_span){r->end, 0};
    }
    rt_span span = {r->at, size};
    r->at += size;
    return span;
}

static inline void rt_skip(rt_reader *r, size_t size)
{
    (void)rt_read_span(r, size);
}

static inline uint8_t rt_read8(rt_reader *r)
{
    rt_span s = rt_read_span(r, 1);
    return s.size ? s.data[0] : 0;
}

static inline uint16_t rt_read16(rt_reader *r)
{
    rt_span s = rt_read_span(r, 2);
    return s.size ? rt_load16(s.data) : 0;
}

static inline uint32_t rt_read24(rt_reader *r)
{
    rt_span s = rt_read_span(r, 3);
    return s.size ? rt_load24(s.data) : 0;
}

static inline uint32_t rt_read32(rt_reader *r)
{
    rt_span s = rt_read_span(r, 4);
    return s.size ? rt_load32(s.data) : 0;
}

static inline uint64_t rt_read64(rt_reader *r)
{
    rt_span s = rt_read_span(r, 8);
    return s.size ? rt_load64(s.data) : 0;
}

typedef struct rt_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
} rt_writer;

static inline rt_writer rt_writer_of(rt_buffer buffer)
{
    return (rt_writer){buffer.data, buffer.data, buffer.data + buffer.size, false};
}

static inline bool rt_writer_ok(const rt_writer *w)
{
    return !w->failed;
}

static inline size_t rt_writer_left(const rt_writer *w)
{
    return (size_t)(w->end - w->at);
}

static inline size_t rt_writer_size(const rt_writer *w)
{
    return (size_t)(w->at - w->start);
}

/* Room for `size` bytes to be filled by the caller; NULL, and `failed`, when there is not so much. */
static inline uint8_t *rt_write_room(rt_writer *w, size_t size)
{
    if (rt_writer_left(w) < size) {
        w->failed = true;
        w->end = w->at;
        return NULL;
    }
    uint8_t *room = w->at;
    w->at += size;
    return room;
}

static inline void rt_write_span(rt_writer *w, rt_span span)
{
    uint8_t *room = rt_write_room(w, span.size);
    if (room && span.size)
        memcpy(room, span.data, span.size);
}

static inline void rt_write_zeros(rt_writer *w, size_t size)
{
    uint8_t *room = rt_write_room(w, size);
    if (room && size)
        memset(room, 0, size);
}

static inline void rt_write8(rt_writer *w, uint8_t v)
{
    uint8_t *room = rt_write_room(w, 1);
    if (room)
        *room = v;
}

static inline void rt_write16(rt_writer *w, uint16_t v)
{
    uint8_t *room = rt_write_room(w, 2);
    if (room)
        rt_store16(room, v);
}

static inline void rt_write24(rt_writer *w, uint32_t v)
{
    uint8_t *room = rt_write_room(w, 3);
    if (room)
        rt_store24(room, v);
}

static inline void rt_write32(rt_writer *w, uint32_t v)
{
    uint8_t *room = rt_write_room(w, 4);
    if (room)
        rt_store32(room, v);
}

static inline void rt_write64(rt_writer *w, uint64_t v)
{
    uint8_t *room = rt_write_room(w, 8);
    if (room)
        rt_store64(room, v);
}

#endif
