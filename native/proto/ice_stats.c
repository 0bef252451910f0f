#include "proto/ice_internal.h"

void rt_ice_get_stats(const rt_ice *ice, rt_ice_stats *out)
{
    *out = ice->stats;
    out->local_count = ice->now->local_count;
    out->remote_count = ice->now->remote_count;
    out->pair_count = ice->now->link_count;
}

const rt_ice_candidate *rt_ice_local(const rt_ice *ice, uint32_t index)
{
    return index < ice->now->local_count ? &ice->now->locals[index] : NULL;
}

const rt_ice_candidate *rt_ice_remote(const rt_ice *ice, uint32_t index)
{
    return index < ice->now->remote_count ? &ice->now->remotes[index] : NULL;
}

bool rt_ice_pair(const rt_ice *ice, uint32_t index, rt_ice_pair_stats *out)
{
    if (index >= ice->now->link_count)
        return false;
    const rt_ice_link *link = ice->now->links[index];
    *out = link->stats;
    out->selected = link == ice->path;
    return true;
}
