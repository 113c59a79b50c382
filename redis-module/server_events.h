/* Which events of the server the module listens to for its plugins: none that nobody wants. */
#ifndef FERRITE_SERVER_EVENTS_H
#define FERRITE_SERVER_EVENTS_H

/* The subscriptions of plugins have changed. From anywhere. */
void server_events_wanted_changed(void);

#endif
