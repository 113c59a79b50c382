/* Which events of the server the module listens to for its plugins: none that nobody wants. */
#ifndef FERRITE_LISTENING_H
#define FERRITE_LISTENING_H

/* The subscriptions of plugins have changed. From anywhere. */
void listening_wanted_changed(void);

/* The server stops: nothing is changed any more. */
void listening_stop(void);

#endif
