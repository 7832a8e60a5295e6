/* urgency: how soon the calling thread runs once it has something to do, where it shares a core with others. Nobody
 * gets more or less of the processor by it: a thread that asks for short turns has its part in many small ones, and the
 * kernel lets it begin each before another's long turn is over. Without it whoever runs may go on for milliseconds.
 *
 * threads  any, each for itself; threads and processes it makes later inherit it
 * source   sched_setattr(2): sched_runtime of SCHED_OTHER, heeded since Linux 6.12, harmless before */
#ifndef IO_URGENCY_H
#define IO_URGENCY_H

/* For a thread whose turns are short and that others wait for. A policy that somebody else chose (chrt) stays. */
void urgency_short(void);
/* For work that nobody waits for at once: its turns are as the kernel likes them, and when it wakes it lets those who
 * run finish. Takes back urgency_short. */
void urgency_none(void);

#endif
