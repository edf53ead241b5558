// SPDX-License-Identifier: Apache-2.0
//
// Users: the people of an account, what they may do, and the one-time links
// by which they log in for the first time.

import { accountColumn, accountField, accountFilters } from '../lib/account.js';
import { button } from '../lib/button.js';
import { copyable } from '../lib/copy.js';
import { confirm, dialog } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { field } from '../lib/form.js';
import { formDialog } from '../lib/form_dialog.js';
import { dateTime, when, word } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { stoppedMark, withStopped } from '../lib/mutes.js';
import { badge, note } from '../lib/status.js';
import { listView } from '../lib/table.js';
import { toast } from '../lib/toast.js';

export const title = 'Users';

export const ROLES = [
	{ value: 'administrator', label: 'Administrator', help: 'Everything in the account, users and tokens too.' },
	{ value: 'engineer', label: 'Engineer', help: 'Adds and changes certificates and resources; no users or tokens.' },
	{ value: 'viewer', label: 'Viewer', help: 'Sees certificates and resources.' },
	{ value: 'auditor', label: 'Auditor', help: 'Sees everything, the history too, and changes nothing.' },
];

function roleField(value) {
	return field({ name: 'role', label: 'Role', type: 'choice', options: ROLES, value, required: true });
}

/* A link is shown once: whoever has it logs in as that user. */
function showLink(user, answer) {
	const url = new URL(answer.url, location.origin).href;
	dialog({
		title: `A one-time link for ${user.email}`,
		body: h('div.stack',
			answer.sent ? note('good', `It was sent to ${user.email}.`) : h('p', 'Hand it over yourself, on a way that nobody else reads.'),
			copyable(url, { label: 'the link', whole: true }),
			h('p.quiet', `It works once, until ${dateTime(answer.expires_s)}, and is shown here only. Whoever opens it first is logged in as ${user.email}, and sets the password.`)),
	});
}

function makeLink(ctx, user) {
	return formDialog({
		title: `Make a one-time link for ${user.email}?`, submit: 'Make the link',
		items: [
			h('p', 'To begin with, or when the password or the second factor is lost. Links that were made before stop working.'),
			field({ name: 'send', label: 'Send it by mail, too', type: 'check', help: 'Where a mail server is configured.' }),
			field({ name: 'reset_totp', label: 'Take away the second factor', type: 'check', help: 'For who has lost the device with the codes.' }),
		],
		run: async values => showLink(user, await ctx.api.post('/sessions:make_link', { user_id: user.id, ...values }, { key: null })),
	});
}

async function add(ctx, list) {
	const account = await accountField(ctx);
	const done = await formDialog({
		title: 'Add a user', submit: 'Add user',
		items: [account,
			field({ name: 'email', label: 'E-mail address', type: 'email', required: true, help: 'To log in with, and where notices go.' }),
			field({ name: 'name', label: 'Name', optional: true, autocomplete: 'off' }), roleField('engineer')],
		run: values => ctx.api.post('/users', values),
	});
	if (!done)
		return;
	list.refresh();
	toast(`${done.email} was added.`, { text: 'A one-time link lets them log in.' });
	await makeLink(ctx, done);
}

async function change(ctx, list, user) {
	const done = await formDialog({
		title: `Change ${user.email}`, submit: 'Save',
		items: [field({ name: 'email', label: 'E-mail address', type: 'email', value: user.email, required: true }),
			field({ name: 'name', label: 'Name', value: user.name, optional: true, autocomplete: 'off' }), roleField(user.role)],
		run: values => ctx.api.patch(`/users/${user.id}`, values, { etag: user.etag }),
	});
	if (done)
		list.refresh();
}

async function setDisabled(ctx, list, user, is_disabled) {
	const run = () => ctx.api.patch(`/users/${user.id}`, is_disabled ? { disable: true } : { enable: true }, { etag: user.etag });
	if (!is_disabled)
		await run();
	else if (!await confirm({
		title: `Disable ${user.email}?`, confirm: 'Disable', danger: true, run,
		text: 'Their sessions end at once, and their tokens stop working until they are enabled again. No notices go to them.',
	}))
		return;
	list.refresh();
}

async function remove(ctx, list, user) {
	if (await confirm({
		title: `Delete ${user.email}?`, confirm: 'Delete user', danger: true,
		text: 'Their sessions end and their tokens go along. What they did stays in the history.',
		run: () => ctx.api.delete(`/users/${user.id}`, {}, { etag: user.etag }),
	}))
		list.refresh();
}

function actsOf(ctx, list, user) {
	return moreMenu(`Acts on ${user.email}`, [
		{ label: 'Change', icon: 'edit', run: () => change(ctx, list, user) },
		{ label: 'Make a one-time link', icon: 'link', run: () => makeLink(ctx, user) },
		user.disabled ? { label: 'Enable', icon: 'check', run: () => setDisabled(ctx, list, user, false) }
			: { label: 'Disable', icon: 'pause', run: () => setDisabled(ctx, list, user, true) },
		'-',
		{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, list, user) },
	]);
}

export async function render(ctx) {
	const may = ctx.session.mayManage;
	const adding = () => button('Add a user', { kind: 'primary', icon: 'plus', run: () => add(ctx, list) });
	const list = listView(ctx, {
		caption: title, one: 'user', filters: await accountFilters(ctx), topics: ['history'],
		load: async query => {
			const { items, next } = await ctx.api.list('/users', 'users', query);
			return { items: await withStopped(ctx, query.account, items), next };
		},
		columns: [
			{ label: 'User', class: 'main', cell: user => [h('span.row', user.name || user.email, user.disabled ? badge('neutral', 'Disabled') : null, stoppedMark(user)),
				user.name ? h('span.under', user.email) : null] },
			{ label: 'Role', class: 'fit', cell: user => word(user.role) },
			accountColumn(ctx),
			{ label: 'Since', class: 'fit', cell: user => when(user.created_s, 'date') },
			may ? { label: '', class: 'acts', cell: user => actsOf(ctx, list, user) } : null,
		].filter(Boolean),
		empty: { icon: 'user', title: 'No users yet', text: 'People who log in here, each with a role. Administrators and engineers get the notices about certificates.',
			actions: may ? [adding()] : null },
	});
	return page({ title, lead: 'The people of the account, and what they may do.', actions: may ? [adding()] : null }, list.node);
}
