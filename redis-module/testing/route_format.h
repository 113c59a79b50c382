/* Writes a parsed route table as text: parsing that again must give the same text. */
#ifndef FERRITE_ROUTE_FORMAT_H
#define FERRITE_ROUTE_FORMAT_H

#include "buffer.h"
#include "route.h"

void route_format(const RouteTable *table, Buffer *out);

#endif
