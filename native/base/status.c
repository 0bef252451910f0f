#include "base/status.h"

const char *rt_status_text(rt_status status)
{
    switch (status) {
    case RT_OK: return "ok";
    case RT_MALFORMED: return "malformed";
    case RT_UNAUTHENTICATED: return "not authenticated";
    case RT_REPLAYED: return "replayed or too old";
    case RT_UNEXPECTED: return "unexpected in this state";
    case RT_UNSUPPORTED: return "not supported";
    case RT_AGAIN: return "queue full, try again later";
    case RT_INVALID: return "invalid argument";
    case RT_TOO_LARGE: return "too large";
    case RT_CLOSED: return "closed";
    case RT_NOT_FOUND: return "not found";
    case RT_EXISTS: return "exists already";
    case RT_NO_MEMORY: return "out of memory";
    case RT_SYSTEM: return "system call or library failed";
    }
    return "unknown status";
}
