/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Entries from keyd.  The stream's thread only queues what comes; entries are
 * decoded and handed out on the caller's thread.  A long walk asks for a page
 * at a time, so that a slow terminal or disk holds keyd up and not our memory;
 * it ends with the entries there were when it began, or nobody could ever read
 * to the end of a busy ledger.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "tools/audit.h"

#define AUDIT (&holdfast__keyd__v1__audit__descriptor)
#define PAGE 20000
/* What may wait here before a stream that is followed is given up. */
#define QUEUE_MAX ((size_t)64 * 1024 * 1024)

struct piece {
	struct piece *next;
	size_t len;
	uint8_t at[];
};

struct inbox {
	struct rpc_client_stream *stream;
	int wake_fd;
	pthread_mutex_t lock; /* guards the rest */
	struct piece *first, **end;
	size_t queued;
	bool is_overrun, is_closed;
	struct status st;
	char why[RPC_WHY_MAX];
};

/* One page of a walk. */
struct page {
	const struct audit_walk *walk;
	uint64_t n, next; /* taken; number behind the last */
	uint64_t until;   /* not this one nor later; UINT64_MAX for no end */
	bool is_over;
	struct status st;
};

/* ---- on the stream's thread ---- */

static void
ring(struct inbox *inbox)
{
	uint64_t one = 1;

	while (write(inbox->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
message(void *ctx, struct bytes octets)
{
	struct inbox *inbox = ctx;
	struct piece *piece = malloc(sizeof(*piece) + octets.len);

	pthread_mutex_lock(&inbox->lock);
	if (piece == NULL || inbox->queued + octets.len > QUEUE_MAX) {
		inbox->is_overrun = true;
		free(piece);
	} else {
		piece->next = NULL;
		piece->len = octets.len;
		memcpy(piece->at, octets.at, octets.len);
		*inbox->end = piece;
		inbox->end = &piece->next;
		inbox->queued += octets.len;
	}
	pthread_mutex_unlock(&inbox->lock);
	ring(inbox);
}

static void
closed(void *ctx, struct status st, const char *why)
{
	struct inbox *inbox = ctx;

	pthread_mutex_lock(&inbox->lock);
	inbox->is_closed = true;
	inbox->st = st;
	snprintf(inbox->why, sizeof(inbox->why), "%s", why);
	ring(inbox);
	pthread_mutex_unlock(&inbox->lock);
}

/* ---- on the caller's thread ---- */

static struct status
take_entry(struct page *page, const Holdfast__Keyd__V1__NumberedEntry *numbered)
{
	const struct audit_walk *walk = page->walk;
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;
	struct audit_row row = { .number = numbered->number, .entry = &entry };
	struct status st = entry_decode(
	    (struct bytes){ numbered->entry.data, numbered->entry.len }, names,
	    &entry);

	if (failed(st))
		return st;
	if (numbered->number >= page->until) {
		page->is_over = true;
		return st;
	}
	if (walk->labels != NULL && entry.has_key)
		row.label = audit_label(walk->labels, &entry.key);
	page->n++;
	page->next = numbered->number + 1;
	if (!walk->each(walk->ctx, &row))
		page->is_over = true;
	return st;
}

static struct status
take_piece(struct page *page, const struct piece *piece)
{
	Holdfast__Keyd__V1__EntryBatch *batch =
	    holdfast__keyd__v1__entry_batch__unpack(
		NULL, piece->len, piece->at);
	struct status st = status_ok();

	if (batch == NULL)
		return status_fail(
		    STATUS_INTERNAL, "keyd sent entries that cannot be read");
	for (size_t i = 0;
	     i < batch->n_entries && !failed(st) && !page->is_over; i++)
		st = take_entry(page, batch->entries[i]);
	holdfast__keyd__v1__entry_batch__free_unpacked(batch, NULL);
	return st;
}

/* Hand out what has come; true once the stream has closed and all is out. */
static bool
empty(struct inbox *inbox, struct page *page)
{
	struct piece *first;
	bool is_closed, is_overrun;

	pthread_mutex_lock(&inbox->lock);
	first = inbox->first;
	inbox->first = NULL;
	inbox->end = &inbox->first;
	inbox->queued = 0;
	is_closed = inbox->is_closed;
	is_overrun = inbox->is_overrun;
	pthread_mutex_unlock(&inbox->lock);
	while (first != NULL) {
		struct piece *next = first->next;

		if (!failed(page->st) && !page->is_over)
			page->st = take_piece(page, first);
		free(first);
		first = next;
	}
	if (is_overrun && !failed(page->st) && !page->is_over)
		page->st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "entries come faster than they can be shown: filter, or "
		    "export them");
	if (page->is_over || failed(page->st))
		rpc_client_stream_cancel(inbox->stream);
	return is_closed;
}

static int
stop_signals_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* Blocked before there were threads, by who follows. */
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void
wait_inbox(struct inbox *inbox, struct page *page)
{
	scoped(close) int signal_fd = -1;
	struct pollfd fds[2] = { { .fd = inbox->wake_fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN } };
	uint64_t count;

	if (page->walk->follow)
		fds[1].fd = signal_fd = stop_signals_fd();
	while (!empty(inbox, page)) {
		fflush(stdout);
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			page->st = status_fail_detail(
			    STATUS_INTERNAL, "poll failed", (uint32_t)errno);
		if ((fds[0].revents & POLLIN) != 0)
			(void)!read(inbox->wake_fd, &count, sizeof(count));
		if ((fds[1].revents & POLLIN) != 0) {
			page->is_over = true;
			fds[1].fd = -1;
		}
	}
}

/* One stream, to its end. */
static int
read_page(struct page *page, Holdfast__Keyd__V1__EntriesRequest *request)
{
	struct rpc_client_stream_ops ops = { .message = message,
		.closed = closed };
	struct inbox inbox = { .wake_fd = eventfd(0, EFD_CLOEXEC) };
	size_t len = protobuf_c_message_get_packed_size(&request->base);
	scoped(free) uint8_t *octets = malloc(len + 1);
	struct status st;

	if (octets == NULL || inbox.wake_fd < 0)
		abort();
	inbox.end = &inbox.first;
	pthread_mutex_init(&inbox.lock, NULL);
	protobuf_c_message_pack(&request->base, octets);
	st = rpc_client_stream_open(page->walk->cli->client, AUDIT, "Entries",
	    &ops, &inbox, &inbox.stream);
	if (!failed(st)) {
		rpc_client_stream_send(
		    inbox.stream, (struct bytes){ octets, len });
		rpc_client_stream_end(inbox.stream);
		wait_inbox(&inbox, page);
		/* closed may still hold the lock it rang under. */
		pthread_mutex_lock(&inbox.lock);
		pthread_mutex_unlock(&inbox.lock);
		rpc_client_stream_free(inbox.stream);
		st = inbox.st;
	}
	pthread_mutex_destroy(&inbox.lock);
	close(inbox.wake_fd);
	if (failed(page->st))
		return cli_fail(EXIT_REFUSED, "%s", page->st.why);
	if (page->is_over || !failed(st))
		return 0;
	return cli_fail(cli_exit_of(st.code), "%s (%s)",
	    inbox.why[0] != '\0' ? inbox.why : st.why, status_name(st.code));
}

int
audit_describe(
    struct cli *cli, Holdfast__Keyd__V1__DescribeAuditResponse **ret_described)
{
	Holdfast__Keyd__V1__DescribeAuditRequest request;
	ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__keyd__v1__describe_audit_request__init(&request);
	rc = cli_call(cli, AUDIT, "Describe", &request.base, &reply);
	if (rc == 0)
		*ret_described =
		    (Holdfast__Keyd__V1__DescribeAuditResponse *)reply;
	return rc;
}

/* Entries there are now; what was done before this call is among them. */
static int
now_size(struct cli *cli, uint64_t *ret_size)
{
	Holdfast__Keyd__V1__DescribeAuditResponse *described = NULL;
	int rc = audit_describe(cli, &described);

	if (rc != 0)
		return rc;
	*ret_size = described->size;
	if (described->trouble[0] != '\0')
		fprintf(stderr,
		    "holdfast: the newest entries may be missing: %s\n",
		    described->trouble);
	protobuf_c_message_free_unpacked(&described->base, NULL);
	return 0;
}

int
audit_walk(const struct audit_walk *walk)
{
	Holdfast__Keyd__V1__EntriesRequest request;
	struct audit_filter *filter = walk->filter;
	struct page page = { .walk = walk, .until = UINT64_MAX };
	uint64_t left = filter->limit == 0 ? UINT64_MAX : filter->limit;
	uint64_t size = 0;
	int rc = now_size(walk->cli, &size);

	audit_filter_request(filter, &request);
	request.follow = walk->follow;
	if (rc != 0 || walk->follow || filter->last != 0)
		return rc != 0 ? rc : read_page(&page, &request);
	page.until = size;
	while (rc == 0 && left > 0 && !page.is_over) {
		page.n = 0;
		request.limit = left < PAGE ? left : PAGE;
		rc = read_page(&page, &request);
		if (page.n < request.limit)
			break;
		left -= page.n;
		request.from_entry = page.next;
	}
	return rc;
}
