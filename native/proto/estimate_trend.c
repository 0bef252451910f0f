/* The trendline: a straight line through the last smoothed delays, its slope against a threshold that adapts
 * (draft-ietf-rmcat-gcc-02 section 5.3 to 5.4, with linear regression in the Kalman filter's place). */
#include "proto/estimate_internal.h"

#define SMOOTHING 0.9
#define GAIN 4.0
#define COUNT_MAX 60         /* groups that the gain counts */
#define THRESHOLD_START 12.5 /* ms */
#define THRESHOLD_MIN 6.0
#define THRESHOLD_MAX 600.0
#define THRESHOLD_UP 0.0087 /* per ms */
#define THRESHOLD_DOWN 0.039
#define SPIKE 15.0      /* ms above the threshold: a jump of the path, from which nothing is learned */
#define ADAPT_MAX 100.0 /* ms that one step takes into account */
#define OVER_FOR 10.0   /* ms */

void rt_trend_init(rt_trend *trend)
{
    *trend = (rt_trend){.threshold = THRESHOLD_START, .updated = -1, .over_for = -1};
}

static double slope_of(const rt_trend *trend)
{
    double at = 0, delay = 0;
    for (int i = 0; i < RT_TREND_POINTS; i++) {
        at += trend->points[i].at;
        delay += trend->points[i].delay;
    }
    at /= RT_TREND_POINTS;
    delay /= RT_TREND_POINTS;
    double above = 0, below = 0;
    for (int i = 0; i < RT_TREND_POINTS; i++) {
        double x = trend->points[i].at - at;
        above += x * (trend->points[i].delay - delay);
        below += x * x;
    }
    return below > 0 ? above / below : trend->previous;
}

static void adapt(rt_trend *trend, double modified, double now)
{
    double size = modified < 0 ? -modified : modified;
    double elapsed = trend->updated < 0 ? 0 : now - trend->updated;
    trend->updated = now;
    if (size > trend->threshold + SPIKE)
        return;
    double k = size < trend->threshold ? THRESHOLD_DOWN : THRESHOLD_UP;
    if (elapsed > ADAPT_MAX)
        elapsed = ADAPT_MAX;
    trend->threshold += k * (size - trend->threshold) * elapsed;
    if (trend->threshold < THRESHOLD_MIN)
        trend->threshold = THRESHOLD_MIN;
    if (trend->threshold > THRESHOLD_MAX)
        trend->threshold = THRESHOLD_MAX;
}

static void detect(rt_trend *trend, double slope, double send_delta, double now)
{
    double modified = (double)trend->count * slope * GAIN;
    if (modified > trend->threshold) {
        /* Over-use began somewhere between the last two groups. */
        trend->over_for = trend->over_for < 0 ? send_delta / 2 : trend->over_for + send_delta;
        trend->over_count++;
        if (trend->over_for > OVER_FOR && trend->over_count > 1 && slope >= trend->previous) {
            trend->over_for = 0;
            trend->over_count = 0;
            trend->state = 1;
        }
    } else {
        trend->over_for = -1;
        trend->over_count = 0;
        trend->state = modified < -trend->threshold ? -1 : 0;
    }
    trend->previous = slope;
    adapt(trend, modified, now);
}

void rt_trend_update(rt_trend *trend, double arrival_delta, double send_delta, double arrived)
{
    if (!trend->count)
        trend->origin = arrived;
    if (trend->count < COUNT_MAX)
        trend->count++;
    trend->accumulated += arrival_delta - send_delta;
    trend->smoothed = SMOOTHING * trend->smoothed + (1 - SMOOTHING) * trend->accumulated;
    trend->points[trend->next].at = arrived - trend->origin;
    trend->points[trend->next].delay = trend->smoothed;
    trend->next = (trend->next + 1) % RT_TREND_POINTS;
    detect(trend, trend->count >= RT_TREND_POINTS ? slope_of(trend) : trend->previous, send_delta, arrived);
}
