/* Memory for the payloads of a jitter buffer: blocks of two sizes that are kept and used again, the one freed last
 * first, since it is still in the cache. Grows to what was once needed at a time, which the buffer bounds.
 */
#ifndef RT_PROTO_JITTER_POOL_H
#define RT_PROTO_JITTER_POOL_H

#include <stddef.h>
#include <stdint.h>

#define RT_JITTER_SMALL 256
#define RT_JITTER_LARGE 1536 /* larger payloads do not come over Ethernet: they are allocated one by one */

typedef struct rt_jitter_block {
    struct rt_jitter_block *next;
} rt_jitter_block;

typedef struct rt_jitter_pool {
    rt_jitter_block *small, *large; /* free ones */
} rt_jitter_pool;                   /* zeroed to begin with */

void rt_jitter_pool_free(rt_jitter_pool *pool); /* the free blocks: give all others back before */
/* NULL: no memory. */
uint8_t *rt_jitter_pool_take(rt_jitter_pool *pool, size_t size);
/* `size` as it was taken. */
void rt_jitter_pool_give(rt_jitter_pool *pool, uint8_t *data, size_t size);

#endif
