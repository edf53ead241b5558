// SPDX-License-Identifier: Apache-2.0
//
// Notices that were sent, wait, or could not be sent.

import { accountColumn, accountField, accountFilters } from '../../lib/account.js';
import { button } from '../../lib/button.js';
import { h, mount } from '../../lib/dom.js';
import { field } from '../../lib/form.js';
import { formDialog } from '../../lib/form_dialog.js';
import { sentence, when } from '../../lib/format.js';
import { eventTitle, noticeBadge, noticeNext, recipientText, webhookNames } from '../../lib/notices.js';
import { objectLink } from '../../lib/object_link.js';
import { href } from '../../lib/router.js';
import { note } from '../../lib/status.js';
import { listView } from '../../lib/table.js';
import { toast } from '../../lib/toast.js';

const STATES = [['', 'All states'], ['queued', 'Waiting'], ['sent', 'Sent'], ['failed', 'Failed'], ['cancelled', 'Not needed']];

async function testMail(ctx) {
	const own = ctx.session.user?.email;
	const account = await accountField(ctx);
	const answer = await formDialog({
		title: 'Send a test mail', submit: 'Send',
		items: [account, field({ name: 'email', label: 'To', type: 'email', value: own || '', required: true, autocomplete: 'email' })],
		run: async values => {
			const result = await ctx.api.post('/notices:test', values, { key: null });
			if (!result.delivered)
				throw Object.assign(new Error(result.detail), { title: 'It was not sent' });
			return result;
		},
	});
	if (answer)
		toast('The test mail is on its way.', { text: answer.detail });
}

async function retry(ctx, list, notice) {
	await ctx.api.post(`/notices/${notice.id}:retry`);
	toast('It is tried again now.');
	list.refresh();
}

function troubleNote(trouble) {
	return trouble ? note('bad', 'No mail is sent now.', { text: `${sentence(trouble)} Notices wait, and are sent once that is mended. Webhooks are not affected.` }) : null;
}

/** @param {Object} ctx the page's context @returns {Promise<function(): Node>} */
export async function sent(ctx) {
	const [names, filters] = await Promise.all([webhookNames(ctx), accountFilters(ctx)]);
	const banner = h('div.tab-note');
	const load = async query => {
		const answer = await ctx.api.get('/notices', query);
		mount(banner, troubleNote(answer.mail_trouble));
		return { items: answer.notices || [], next: answer.next_page_token || '' };
	};
	return () => {
		const list = listView(ctx, {
			caption: 'Notices', one: 'notice', topics: ['notices'], load, path: notice => `/notices/${notice.id}`,
			filters: [{ name: 'state', label: 'State', options: STATES }, ...filters],
			tools: ctx.session.mayManage ? [button('Send a test mail', { icon: 'contact', run: () => testMail(ctx) })] : null,
			columns: [
				{ label: 'About', class: 'main sentence', cell: notice => [h('a', { href: href(`/notices/${notice.id}`) }, notice.subject), h('span.under', eventTitle(notice.event), ' · ', objectLink(notice.object))] },
				{ label: 'To', cell: notice => recipientText(notice.recipient, names) },
				{ label: 'State', cell: notice => [noticeBadge(notice), h('span.under', noticeNext(notice)), notice.problem && notice.state !== 'sent' ? h('span.under', sentence(notice.problem)) : null] },
				accountColumn(ctx),
				{ label: 'Since', class: 'fit', cell: notice => when(notice.created_s, 'both') },
				ctx.session.mayManage ? { label: '', class: 'acts', cell: notice => notice.state === 'failed' ? button('Try again', { small: true, icon: 'retry', run: () => retry(ctx, list, notice) }) : null } : null,
			].filter(Boolean),
			empty: { icon: 'notice', title: 'Nothing was told yet', text: 'As soon as something happens that a rule is about, what is sent to whom stands here, with what the other side answered.' },
		});
		return h('div', banner, list.node);
	};
}
