#include "proto/jitter_pool.h"

#include <stdlib.h>

static void free_list(rt_jitter_block *block)
{
    while (block) {
        rt_jitter_block *next = block->next;
        free(block);
        block = next;
    }
}

void rt_jitter_pool_free(rt_jitter_pool *pool)
{
    free_list(pool->small);
    free_list(pool->large);
    *pool = (rt_jitter_pool){0};
}

uint8_t *rt_jitter_pool_take(rt_jitter_pool *pool, size_t size)
{
    if (size > RT_JITTER_LARGE)
        return malloc(size);
    rt_jitter_block **list = size <= RT_JITTER_SMALL ? &pool->small : &pool->large;
    rt_jitter_block *block = *list;
    if (!block)
        return malloc(size <= RT_JITTER_SMALL ? RT_JITTER_SMALL : RT_JITTER_LARGE);
    *list = block->next;
    return (uint8_t *)block;
}

void rt_jitter_pool_give(rt_jitter_pool *pool, uint8_t *data, size_t size)
{
    if (size > RT_JITTER_LARGE) {
        free(data);
        return;
    }
    rt_jitter_block **list = size <= RT_JITTER_SMALL ? &pool->small : &pool->large;
    rt_jitter_block *block = (rt_jitter_block *)(void *)data;
    block->next = *list;
    *list = block;
}
