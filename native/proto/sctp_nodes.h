/* The parts of messages that wait in reassembly, sorted by (message, position).
 *
 * A doubly linked list for walking in order, and a treap over it (a search tree by place that is a heap by random
 * weights) for finding. The order is the peer's to choose, the weights are not: whatever he sends, a place is found
 * in logarithmic time. What belongs at the end, as nearly everything does, is looked for there first.
 *
 * Numbers are unwrapped to 64 bits. Serial numbers that may lie anywhere have no order (each of three can be before
 * the next one, around the circle), and a tree needs one.
 */
#ifndef RT_PROTO_SCTP_NODES_H
#define RT_PROTO_SCTP_NODES_H

#include <stdbool.h>

#include "base/message.h"

typedef struct rt_sctp_node {
    struct rt_sctp_node *previous, *next; /* in the list */
    struct rt_sctp_node *left, *right;    /* in the tree */
    uint64_t mid;
    uint64_t key;        /* fragment: its position; partial: the position that it continues with */
    uint32_t weight;     /* no child's is larger */
    bool complete;       /* partial: waits for its turn */
    uint8_t flags;       /* fragment */
    uint16_t size;       /* fragment */
    rt_message *message; /* partial */
    uint8_t data[];      /* fragment */
} rt_sctp_node;

typedef struct rt_sctp_nodes {
    rt_sctp_node *first, *last, *root;
} rt_sctp_nodes;

/* The last node before (mid, key); NULL: there is none. */
rt_sctp_node *rt_sctp_nodes_before(const rt_sctp_nodes *nodes, uint64_t mid, uint64_t key);
/* The first node that is not before (mid, key). */
rt_sctp_node *rt_sctp_nodes_from(const rt_sctp_nodes *nodes, uint64_t mid, uint64_t key);
/* No other node has its (mid, key). */
void rt_sctp_nodes_insert(rt_sctp_nodes *nodes, rt_sctp_node *node, uint32_t weight);
/* A node's key may have grown since it was inserted, not beyond the next one's. */
void rt_sctp_nodes_remove(rt_sctp_nodes *nodes, rt_sctp_node *node);

#endif
