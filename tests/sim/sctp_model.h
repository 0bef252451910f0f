/* What the application must see: the truth beside two associations, for random schedules.
 *
 * Each direction has a few streams of different kinds. The model numbers every message that send() accepts,
 * checks each one that arrives against what may come next, follows stream resets and restarts, and says in
 * the end whether everything that had to arrive has arrived. A violation is a text in `error`.
 */
#ifndef RT_SIM_SCTP_MODEL_H
#define RT_SIM_SCTP_MODEL_H

#include "sctp_net.h"

#define MODEL_STREAMS 5
#define MODEL_MESSAGES 4096 /* per stream and epoch; more are not sent */

typedef enum model_kind { MODEL_ORDERED, MODEL_UNORDERED, MODEL_PARTIAL, MODEL_PARTIAL_UNORDERED } model_kind;

typedef struct model_out {
    uint16_t epoch; /* up by one with each reset or restart */
    uint32_t sent;  /* in this epoch */
    bool resetting;
} model_out;

typedef struct model_in {
    uint16_t epoch;
    uint32_t next;     /* the lowest number that may come in order */
    uint32_t received; /* in this epoch */
    uint8_t seen[MODEL_MESSAGES / 8];
} model_in;

typedef struct model {
    sctp_net *pair;
    model_out out[2][MODEL_STREAMS];
    model_in in[2][MODEL_STREAMS];
    size_t unreleased[2];
    bool connected[2], closed[2];
    uint16_t close_error[2];
    bool restarting; /* one end was replaced, the other has not noticed */
    bool ending;     /* shutdown or abort was called */
    bool aborted;
    bool loose[2];                /* into this end: messages from before a restart may be missing or come again */
    uint64_t accepted, delivered; /* reliable messages */
    bool verbose;                 /* print what happens */
    char error[200];
} model;

model_kind model_kind_of(uint16_t stream);

void model_init(model *m, sctp_net *pair);
/* Sends if the stream may be used; RT_AGAIN and the like are fine. */
void model_send(model *m, int end, uint16_t stream, size_t size, int32_t max_retransmits, rt_time lifetime);
void model_reset(model *m, int end, uint16_t stream);
/* Only while both ends are established and no restart is under way. */
void model_restart(model *m, int end);
void model_shutdown(model *m, int end);
void model_abort(model *m, int end);
/* Takes the events of both ends and checks them. Messages stay unreleased until model_release. */
void model_take(model *m);
void model_release(model *m, int end);
/* All reliable messages have arrived and no reset is pending. */
bool model_complete(const model *m);
bool model_both_closed(const model *m);

#endif
