/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Contacts: who of an account is told, and whom a CA may ask.  They may do
 * nothing, so nothing depends on one.
 */

#include <stdio.h>
#include <string.h>

#include "certd/accounts_int.h"
#include "certd/page.h"
#include "certd/store_contacts.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/message.h"

#define CONTACTS_MAX 100 /* of an account */

/* ---- answers ---- */

static bool
fill(Holdfast__Certd__V1__Contact *to, const struct store_contact *from)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(from->revision, etag);
	to->id = from->id;
	to->kind = (Holdfast__Certd__V1__ContactKind)from->kind;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->name, from->name) &&
	       message_text(&to->email, from->email) &&
	       message_text(&to->phone, from->phone) &&
	       message_text(&to->etag, etag);
}

static struct status
answer(const struct store_contact *contact, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__contact__descriptor);

	if (message == NULL || !fill((void *)message, contact))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* One that the caller sees. */
static struct status
get_seen(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct store_contact *ret_contact)
{
	struct store_contact contact;
	struct status st = store_contacts_get(tx, id, &contact);

	if (!failed(st) && !caller_sees(call->caller, contact.account))
		st = store_no_such("there is no such contact");
	if (!failed(st))
		*ret_contact = contact;
	return st;
}

static struct status
check_kind(Holdfast__Certd__V1__ContactKind kind)
{
	if (kind ==
		HOLDFAST__CERTD__V1__CONTACT_KIND__CONTACT_KIND_ADMINISTRATIVE ||
	    kind == HOLDFAST__CERTD__V1__CONTACT_KIND__CONTACT_KIND_TECHNICAL)
		return status_ok();
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "kind must be administrative or technical");
}

/* ---- create ---- */

static struct status
check_room(struct db_tx *tx, int64_t account)
{
	int64_t n = 0;
	struct status st = store_contacts_count(tx, account, &n);

	if (!failed(st) && n >= CONTACTS_MAX)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the account has 100 contacts, which are the most");
	return st;
}

static struct status
create_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__CreateContactRequest *asked,
    struct store_contact *ret_contact)
{
	struct store_contact contact = { .kind = (int)asked->kind };
	int64_t id = 0;
	struct status st =
	    caller_account(call->caller, tx, asked->account, &contact.account);

	if (!failed(st))
		st = check_room(tx, contact.account);
	if (failed(st))
		return st;
	snprintf(contact.name, sizeof(contact.name), "%s", asked->name);
	snprintf(contact.email, sizeof(contact.email), "%s", asked->email);
	snprintf(contact.phone, sizeof(contact.phone), "%s", asked->phone);
	st = store_contacts_add(tx, &contact, &id);
	if (!failed(st))
		st = accounts_event(tx, call, contact.account,
		    "contact created", "contact", id, contact.email);
	return failed(st) ? st : store_contacts_get(tx, id, ret_contact);
}

static struct status
create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__CreateContactRequest *asked =
	    (const Holdfast__Certd__V1__CreateContactRequest *)request;
	struct store_contact contact;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = check_kind(asked->kind);

	if (!failed(st))
		st = text_check_line(
		    call, "name", asked->name, 1, STORE_PERSON_MAX - 1);
	if (!failed(st))
		st = text_check_email(call, "email", asked->email);
	if (!failed(st) && asked->phone[0] != 0)
		st = text_check_phone(call, "phone", asked->phone);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, create_in(tx, call, asked, &contact));
	return failed(st) ? st : answer(&contact, ret_reply);
}

/* ---- list ---- */

struct listing {
	Holdfast__Certd__V1__ListContactsResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct store_contact *contact)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__Contact *to =
	    message_append(&listing->to->n_contacts, &listing->to->contacts,
		&holdfast__certd__v1__contact__descriptor);

	listing->last = contact->id;
	return to != NULL && fill(to, contact);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListContactsRequest *asked =
	    (const Holdfast__Certd__V1__ListContactsRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_contacts_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { .to = (void *)message };
	struct page page;
	bool more = false;
	struct status st = store_read(ctx, &tx);

	if (message == NULL)
		return message_no_memory();
	if (!failed(st))
		st = page_find(tx, call->caller,
		    &(struct page_ask){
			asked->account, asked->page_token, asked->page_size },
		    &page);
	if (!failed(st))
		st = store_contacts_list(
		    tx, &page, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- update and delete ---- */

static struct status
check_update(struct api_call *call,
    const Holdfast__Certd__V1__UpdateContactRequest *asked)
{
	struct status st = status_ok();

	if (asked->kind != 0)
		st = check_kind(asked->kind);
	if (!failed(st))
		st = text_check_line(
		    call, "name", asked->name, 0, STORE_PERSON_MAX - 1);
	if (!failed(st) && asked->email[0] != 0)
		st = text_check_email(call, "email", asked->email);
	if (!failed(st) && asked->phone[0] != 0)
		st = text_check_phone(call, "phone", asked->phone);
	return st;
}

static void
apply(struct store_contact *contact,
    const Holdfast__Certd__V1__UpdateContactRequest *asked)
{
	if (asked->kind != 0)
		contact->kind = (int)asked->kind;
	if (asked->name[0] != 0)
		snprintf(
		    contact->name, sizeof(contact->name), "%s", asked->name);
	if (asked->email[0] != 0)
		snprintf(
		    contact->email, sizeof(contact->email), "%s", asked->email);
	if (asked->phone[0] != 0)
		snprintf(
		    contact->phone, sizeof(contact->phone), "%s", asked->phone);
}

static struct status
update_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateContactRequest *asked,
    struct store_contact *ret_contact)
{
	struct store_contact contact;
	struct status st = get_seen(tx, call, asked->id, &contact);

	if (!failed(st))
		st = store_etag_check(asked->etag, contact.revision);
	if (failed(st))
		return st;
	apply(&contact, asked);
	st = store_contacts_update(tx, &contact);
	if (!failed(st))
		st = accounts_event(tx, call, contact.account,
		    "contact changed", "contact", contact.id, contact.email);
	return failed(st) ? st
			  : store_contacts_get(tx, contact.id, ret_contact);
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UpdateContactRequest *asked =
	    (const Holdfast__Certd__V1__UpdateContactRequest *)request;
	struct store_contact contact;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = check_update(call, asked);

	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, update_in(tx, call, asked, &contact));
	return failed(st) ? st : answer(&contact, ret_reply);
}

static struct status
remove_in(struct db_tx *tx, const struct api_call *call,
    const Holdfast__Certd__V1__DeleteContactRequest *asked)
{
	struct store_contact contact;
	struct status st = get_seen(tx, call, asked->id, &contact);

	if (!failed(st))
		st = store_etag_check(asked->etag, contact.revision);
	if (!failed(st))
		st = store_contacts_remove(tx, contact.id);
	return failed(st) ? st
			  : accounts_event(tx, call, contact.account,
				"contact deleted", "contact", contact.id,
				contact.email);
}

static struct status delete (void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(store, tx,
		    remove_in(tx, call,
			(const Holdfast__Certd__V1__DeleteContactRequest *)
			    request));
	if (failed(st))
		return st;
	*ret_reply = message_new(
	    &holdfast__certd__v1__delete_contact_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__contacts__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/contacts",
	    .creates = true,
	    .summary = "Add a contact to an account" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = ALLOW_MANAGE_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/contacts",
	    .summary = "List contacts" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = update,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/contacts/{id}",
	    .summary = "Change a contact" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/contacts/{id}",
	    .summary = "Delete a contact" },
};

STATUS
accounts_contacts_add(struct store *store, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), store);
}
