// SPDX-License-Identifier: Apache-2.0
//
// One account: what it holds, and where to go from there.

import { linkButton } from '../lib/button.js';
import { confirm } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { field } from '../lib/form.js';
import { formDialog } from '../lib/form_dialog.js';
import { number, when } from '../lib/format.js';
import { card, details, figures, loaded, page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { note } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Account';

const ICONS = { Users: 'user', Tokens: 'token', Contacts: 'contact', Notices: 'notice', History: 'history' };

async function rename(ctx, account) {
	if (await formDialog({
		title: `Change ${account.name}`, submit: 'Save', items: [field({ name: 'title', label: 'Title', value: account.title, optional: true })],
		run: values => ctx.api.patch(`/accounts/${account.name}`, values, { etag: account.etag }),
	}))
		ctx.reload();
}

async function remove(ctx, account) {
	const is_done = await confirm({
		title: `Delete account ${account.name}?`, confirm: 'Delete account', danger: true, typed: account.name,
		text: 'Its users, tokens and contacts go along. It is refused while certificates, resources or requests are left in it.',
		run: () => ctx.api.delete(`/accounts/${account.name}`, {}, { etag: account.etag }),
	});
	if (!is_done)
		return;
	toast(`Account ${account.name} was deleted.`);
	ctx.navigate('/accounts');
}

function people(ctx, account, users) {
	if (users.length)
		return null;
	return note('notice', 'Nobody can log in to this account yet.', {
		text: 'Add its first administrator, and hand over the one-time link.',
		actions: [linkButton('Add a user', `/users?account=${account.name}`, { small: true })],
	});
}

export async function render(ctx) {
	const account = await ctx.api.get(`/accounts/${ctx.params.name}`);
	const at = path => `${path}?account=${account.name}`;
	ctx.setTitle(account.title || account.name);
	const body = loaded(ctx, {
		topics: ['history'],
		load: async () => ({
			account: await ctx.api.get(`/accounts/${ctx.params.name}`),
			users: (await ctx.api.list('/users', 'users', { account: account.name, page_size: 1 })).items,
		}),
		draw: data => h('div.stack',
			people(ctx, data.account, data.users),
			figures([
				{ label: 'Certificates', value: number(data.account.certificates), path: at('/certificates') },
				{ label: 'Resources', value: number(data.account.resources), path: at('/resources') },
			])),
	});
	return page({
		title: account.title || account.name, crumbs: [['Accounts', '/accounts']],
		actions: ctx.session.isOperator ? [moreMenu(`Acts on ${account.name}`, [
			{ label: 'Change the title', icon: 'edit', run: () => rename(ctx, account) }, '-',
			{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, account) },
		])] : null,
	}, h('div.stack', body,
	card({ title: 'About' }, details([['Name', account.name], ['Since', when(account.created_s, 'date')]])),
	card({ title: 'Its people and programs' },
		h('div.row', ['Users', 'Tokens', 'Contacts', 'Notices', 'History'].map(each => linkButton(each, at(`/${each.toLowerCase()}`), { icon: ICONS[each] }))))));
}
