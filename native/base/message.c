#include "base/message.h"

#include <stdlib.h>

rt_message *rt_message_new(size_t capacity)
{
    rt_message *message = malloc(sizeof *message + capacity);
    if (message)
        *message = (rt_message){.capacity = capacity};
    return message;
}

rt_message *rt_message_grow(rt_message *message, size_t capacity)
{
    if (capacity <= message->capacity)
        return message;
    rt_message *grown = realloc(message, sizeof *message + capacity);
    if (grown)
        grown->capacity = capacity;
    return grown;
}

void rt_message_free(rt_message *message)
{
    free(message);
}
