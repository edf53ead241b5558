// SPDX-License-Identifier: Apache-2.0
//
// Accounts: whose certificates and resources; for operators.

import { button } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { field } from '../lib/form.js';
import { formDialog } from '../lib/form_dialog.js';
import { when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { listView } from '../lib/table.js';

export const title = 'Accounts';

async function add(ctx) {
	const made = await formDialog({
		title: 'Create an account', submit: 'Create account',
		items: [
			field({ name: 'name', label: 'Name', required: true, mono: true, autocomplete: 'off', help: 'Lower-case letters, digits and dashes, at most 40. It does not change.',
				check: value => /^[a-z0-9-]{1,40}$/.test(value) ? '' : 'Use lower-case letters, digits and dashes, at most 40.' }),
			field({ name: 'title', label: 'Title', optional: true, autocomplete: 'off', help: 'For people: "Acme Corporation".' }),
		],
		run: values => ctx.api.post('/accounts', values),
	});
	if (made)
		ctx.navigate(`/accounts/${made.name}`);
}

export async function render(ctx) {
	const may = ctx.session.isOperator;
	const adding = () => button('Create an account', { kind: 'primary', icon: 'plus', run: () => add(ctx) });
	return page({ title, lead: 'Whose certificates and resources these are. An account sees its own, and nothing of another.', actions: may ? [adding()] : null },
		listView(ctx, {
			caption: title, one: 'account', topics: ['history'], path: account => `/accounts/${account.name}`,
			load: query => ctx.api.list('/accounts', 'accounts', query),
			columns: [
				{ label: 'Account', class: 'main', cell: account => [h('a', { href: href(`/accounts/${account.name}`) }, account.title || account.name),
					account.title ? h('span.under', account.name) : null] },
				{ label: 'Since', class: 'fit', cell: account => when(account.created_s, 'date') },
			],
			empty: { icon: 'account', title: 'No accounts yet', text: 'Everything belongs to an account. Create one, then add its first administrator.',
				actions: may ? [adding()] : null },
		}));
}
