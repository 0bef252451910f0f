#include "proto/sctp_nodes.h"

static bool is_before(const rt_sctp_node *node, uint64_t mid, uint64_t key)
{
    return node->mid < mid || (node->mid == mid && node->key < key);
}

rt_sctp_node *rt_sctp_nodes_before(const rt_sctp_nodes *nodes, uint64_t mid, uint64_t key)
{
    if (!nodes->last || is_before(nodes->last, mid, key))
        return nodes->last;
    rt_sctp_node *found = NULL;
    for (rt_sctp_node *node = nodes->root; node;) {
        bool before = is_before(node, mid, key);
        if (before)
            found = node;
        node = before ? node->right : node->left;
    }
    return found;
}

rt_sctp_node *rt_sctp_nodes_from(const rt_sctp_nodes *nodes, uint64_t mid, uint64_t key)
{
    const rt_sctp_node *before = rt_sctp_nodes_before(nodes, mid, key);
    return before ? before->next : nodes->first;
}

static void link_behind(rt_sctp_nodes *nodes, rt_sctp_node *node, rt_sctp_node *before)
{
    node->previous = before;
    node->next = before ? before->next : nodes->first;
    *(node->next ? &node->next->previous : &nodes->last) = node;
    *(before ? &before->next : &nodes->first) = node;
}

void rt_sctp_nodes_insert(rt_sctp_nodes *nodes, rt_sctp_node *node, uint32_t weight)
{
    link_behind(nodes, node, rt_sctp_nodes_before(nodes, node->mid, node->key));
    node->weight = weight;
    rt_sctp_node **at = &nodes->root;
    while (*at && (*at)->weight >= weight)
        at = is_before(*at, node->mid, node->key) ? &(*at)->right : &(*at)->left;
    /* What is below falls apart into what is before and what is behind. */
    rt_sctp_node *below = *at, **before = &node->left, **behind = &node->right;
    *at = node;
    while (below) {
        if (is_before(below, node->mid, node->key)) {
            *before = below;
            before = &below->right;
            below = below->right;
        } else {
            *behind = below;
            behind = &below->left;
            below = below->left;
        }
    }
    *before = *behind = NULL;
}

void rt_sctp_nodes_remove(rt_sctp_nodes *nodes, rt_sctp_node *node)
{
    *(node->previous ? &node->previous->next : &nodes->first) = node->next;
    *(node->next ? &node->next->previous : &nodes->last) = node->previous;
    rt_sctp_node **at = &nodes->root;
    while (*at != node)
        at = is_before(*at, node->mid, node->key) ? &(*at)->right : &(*at)->left;
    rt_sctp_node *before = node->left, *behind = node->right;
    while (before && behind) {
        if (before->weight > behind->weight) {
            *at = before;
            at = &before->right;
            before = before->right;
        } else {
            *at = behind;
            at = &behind->left;
            behind = behind->left;
        }
    }
    *at = before ? before : behind;
}
