/* Peers on workers, for tests: connected over loopback, moving numbered messages both ways. */
#ifndef RT_TESTS_WORKER_RIG_H
#define RT_TESTS_WORKER_RIG_H

#include "io/worker.h"

#define RIG_NODES 1024

typedef struct rig_node {
    rt_worker *worker;
    rt_worker_peer *peer; /* NULL: removed */
    struct rig_node *other;
    uint64_t tag;
    rt_ice_state ice;
    rt_dtls_state dtls;
    bool sctp, ended;
    bool open;
    uint32_t channel;
    uint64_t sent, received; /* messages; each carries its number and a pattern */
    uint64_t bytes_received;
    bool room;
    bool echo; /* every message goes back */
} rig_node;

struct rig;

typedef struct rig {
    rt_worker *workers[4];
    uint32_t worker_count;
    rt_certificate *certificate;
    rig_node nodes[RIG_NODES]; /* by tag */
    uint32_t node_count;
    uint64_t messages; /* for rig_exchanged: 200 of 20000 bytes unless changed */
    size_t message_size;
    void (*on_media)(struct rig *, rt_worker_event *event); /* of media and fan-outs; NULL: dropped */
    void *context;
} rig;

rig *rig_new(void);
void rig_free(rig *r); /* with its workers */
rt_worker *rig_worker(rig *r, const rt_worker_config *config);

/* Two peers that know each other; `socket` UINT32_MAX: a's own one on 127.0.0.1 (`family` 4) or ::1, else a shared
 * one of a's worker. a is the controlling one and the DTLS client, and opens a channel. */
rig_node *rig_pair(rig *r, rt_worker *a, rt_worker *b, int family, uint32_t socket);
uint32_t rig_shared(rig *r, rt_worker *worker);
void rig_remove(rig_node *node);

/* Runs all workers and takes their events until `done` says so; false after `limit`. */
bool rig_run(rig *r, bool (*done)(rig *), rt_time limit);
bool rig_all_open(rig *r);
/* Sends `r->messages` of `r->message_size` bytes from every node, as there is room; true when all have arrived. */
bool rig_exchanged(rig *r);
void rig_take(rig *r, rt_worker *worker);

/* Sends a message of `size` (8 or more) with the next number; false when the send buffer is full. */
bool rig_send(rig_node *node, size_t size);

int rig_descriptors(void); /* how many this process has open */

#endif
