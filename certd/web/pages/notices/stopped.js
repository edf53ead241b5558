// SPDX-License-Identifier: Apache-2.0
//
// Mails that recipients have stopped, by the link in one of them; and having
// them sent again, for people of the account. Who does that is kept.

import { accountColumn, accountFilters } from '../../lib/account.js';
import { button, linkButton } from '../../lib/button.js';
import { confirm } from '../../lib/dialog.js';
import { h } from '../../lib/dom.js';
import { when } from '../../lib/format.js';
import { actorText } from '../../lib/history.js';
import { EVENTS, OF_WHOLE, eventTitle } from '../../lib/notices.js';
import { badge } from '../../lib/status.js';
import { listView } from '../../lib/table.js';
import { toast } from '../../lib/toast.js';

const BY_LINK = 'link in a mail';
const STOPPABLE = Object.keys(EVENTS).filter(each => !OF_WHOLE.includes(each));

function stateCell(mute) {
	if (!mute.lifted_s)
		return badge('notice', 'Stopped');
	const who = mute.lifted_by === BY_LINK ? 'the recipient' : actorText(mute.lifted_by);
	return [badge('neutral', 'Sent again'), h('span.under', 'By ', who, ', ', when(mute.lifted_s, 'relative'))];
}

async function lift(ctx, list, mute) {
	const done = await confirm({
		title: `Send them to ${mute.recipient} again?`, confirm: 'Send again',
		text: h('div.stack-s', h('p', 'The recipient chose to get no more mails of this kind: ', h('strong', eventTitle(mute.event)), '. Ask before you undo that.'),
			h('p', 'The history says that it was you, and the link\'s page says that it was somebody of the account. Each mail has a link that stops them once more.')),
		run: () => ctx.api.delete(`/notice-mutes/${mute.id}`),
	});
	if (!done)
		return;
	toast('They are sent again.', { text: `From now on, to ${mute.recipient}, as the rules say.` });
	list.refresh();
}

function actOf(ctx, list, mute) {
	if (mute.lifted_s)
		return null;
	return mute.liftable ? button('Send again', { small: true, icon: 'retry', title: `Send ${mute.recipient} such mails again`, run: () => lift(ctx, list, mute) })
		: h('span.quiet', { title: 'The address is no user\'s or contact\'s of the account: only who reads its mail can undo this, by the link.' }, 'By the recipient only');
}

/** @param {Object} ctx the page's context @returns {Promise<function(): Node>} */
export async function stopped(ctx) {
	const filters = [
		{ name: 'recipient', label: 'Whole address', type: 'text' },
		{ name: 'event', label: 'About', options: [['', 'About anything'], ...STOPPABLE.map(each => [each, eventTitle(each)])] },
		...await accountFilters(ctx),
		{ name: 'lifted', label: 'Sent again, too' },
	];
	const may = ctx.session.mayManage;
	return () => {
		const list = listView(ctx, {
			caption: 'Stopped by recipients', one: 'entry', many: 'entries', filters, topics: ['notices'],
			load: query => ctx.api.list('/notice-mutes', 'mutes', query),
			columns: [
				{ label: 'Recipient', class: 'main', cell: mute => h('strong', mute.recipient) },
				{ label: 'About', class: 'wide', cell: mute => eventTitle(mute.event) },
				{ label: 'State', cell: stateCell },
				accountColumn(ctx),
				{ label: 'Stopped', class: 'fit', cell: mute => when(mute.since_s, 'both') },
				may ? { label: '', class: 'acts', cell: mute => actOf(ctx, list, mute) } : null,
			].filter(Boolean),
			empty: { icon: 'notice', title: 'Nobody has stopped mails', text: 'Each mail about an account has a link by which its recipient stops mails of that kind. Who does so stands here, so that you see who is not told, and can have somebody else told by a rule.',
				actions: [linkButton('See the rules', '/notices?tab=rules')] },
		});
		return list.node;
	};
}
