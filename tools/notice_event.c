/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Events by the names that the API gives them (notices.proto), without the
 * prefix that all of them have: one that is new there has its name here.
 */

#include "tools/notice_event.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define EVENTS (&holdfast__certd__v1__notice_event__descriptor)
#define PREFIX "NOTICE_EVENT_"

void
notice_event_print(
    Holdfast__Certd__V1__NoticeEvent event, char ret_text[NOTICE_EVENT_MAX])
{
	const ProtobufCEnumValue *value =
	    protobuf_c_enum_descriptor_get_value(EVENTS, (int)event);

	snprintf(ret_text, NOTICE_EVENT_MAX, "%s",
	    value == NULL ? "?" : value->name + strlen(PREFIX));
	for (char *at = ret_text; *at != '\0'; at++)
		*at = *at == '_' ? ' ' : (char)tolower((unsigned char)*at);
}

bool
notice_event_read(const char *text, Holdfast__Certd__V1__NoticeEvent *ret_event)
{
	const ProtobufCEnumValue *value;
	char name[NOTICE_EVENT_MAX];
	int len = snprintf(name, sizeof(name), PREFIX "%s", text);

	if (len < 0 || (size_t)len >= sizeof(name))
		return false;
	for (char *at = name; *at != '\0'; at++)
		*at = *at == '-' || *at == ' '
			  ? '_'
			  : (char)toupper((unsigned char)*at);
	value = protobuf_c_enum_descriptor_get_value_by_name(EVENTS, name);
	if (value == NULL || value->value == 0)
		return false;
	*ret_event = (Holdfast__Certd__V1__NoticeEvent)value->value;
	return true;
}
