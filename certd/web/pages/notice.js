// SPDX-License-Identifier: Apache-2.0
//
// One notice: to whom, how often it was tried, and its text.

import { button } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { number, plural, when } from '../lib/format.js';
import { card, details, page } from '../lib/layout.js';
import { eventTitle, noticeBadge, recipientText, webhookNames } from '../lib/notices.js';
import { objectLink } from '../lib/object_link.js';
import { note } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Notice';

function problemOf(notice) {
	if (!notice.problem || notice.state === 'sent')
		return null;
	const failed = notice.state === 'failed';
	return note(failed ? 'bad' : 'notice', failed ? 'It was given up.' : 'The last attempt failed.', { text: notice.problem });
}

async function retry(ctx, notice) {
	await ctx.api.post(`/notices/${notice.id}:retry`);
	toast('It is tried again now.');
	await ctx.reload();
}

export async function render(ctx) {
	const [notice, names] = await Promise.all([ctx.api.get(`/notices/${encodeURIComponent(ctx.params.id)}`), webhookNames(ctx)]);
	const may = ctx.session.mayManage && notice.state === 'failed';
	const facts = details([
		['To', recipientText(notice.recipient, names)],
		['Because of', eventTitle(notice.event) + (notice.event === 'expiring' ? `, ${plural(notice.days, 'day')} before` : '')],
		['About', objectLink(notice.object)],
		['Account', notice.account || 'The whole'],
		['Occasion', when(notice.created_s)],
		['Sent', notice.sent_s ? when(notice.sent_s) : null],
		['Tried next', notice.state === 'queued' && notice.next_s ? when(notice.next_s) : null],
		['Attempts', number(notice.attempts)],
	]);
	ctx.setTitle(notice.subject);
	ctx.live('notices', async () => {
		const now = await ctx.api.get(`/notices/${notice.id}`);
		if (now.state !== notice.state || now.attempts !== notice.attempts)
			await ctx.reload();
	});
	return page({ title: notice.subject, badge: noticeBadge(notice), crumbs: [['Notices', '/notices']], actions: may ? [button('Try again', { icon: 'retry', run: () => retry(ctx, notice) })] : null },
		h('div.split', h('div.stack', problemOf(notice), card({ title: 'Text' }, notice.text ? h('pre.letter', { tabindex: 0 }, notice.text) : h('p.quiet', 'None was kept: the address was told of hundreds of such things within a day.'))),
			h('div.stack', card({ title: 'Notice' }, facts))));
}
