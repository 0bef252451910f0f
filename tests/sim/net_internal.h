/* Shared by net.c (paths, faults, time) and net_nat.c (who gets a packet). */
#ifndef RT_SIM_NET_INTERNAL_H
#define RT_SIM_NET_INTERNAL_H

#include "net.h"

#define NET_NONE UINT32_MAX

typedef struct net_route {
    uint32_t node; /* NET_NONE: nobody */
    rt_addr from, to;
} net_route;

typedef struct net_router net_router;

net_router *net_router_new(void);
void net_router_free(net_router *router);
void net_router_add_node(net_router *router, uint32_t node);
void net_router_add_address(net_router *router, uint32_t node, const rt_addr *ip);
rt_addr net_router_address(const net_router *router, uint32_t node);
uint32_t net_router_add_nat(net_router *router, const net_nat *rules, const rt_addr *public_ip);
void net_router_put_behind(net_router *router, uint32_t node, uint32_t nat);
void net_router_forget(net_router *router, uint32_t nat);
/* Where a packet goes and which addresses it then bears. Makes and refreshes mappings. */
net_route net_router_route(net_router *router, uint32_t node, const rt_addr *from, const rt_addr *to, rt_time now);

/* realloc that ends the program when there is no memory, with a line that says so. */
void *net_realloc(void *memory, size_t size);

#endif
