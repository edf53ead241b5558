// SPDX-License-Identifier: Apache-2.0
//
// Contacts: who gets the messages about validation and failures, and whom a CA
// may ask, beside the users.

import { accountColumn, accountField, accountFilters } from '../lib/account.js';
import { button } from '../lib/button.js';
import { confirm } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { field } from '../lib/form.js';
import { formDialog } from '../lib/form_dialog.js';
import { word } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { stoppedMark, withStopped } from '../lib/mutes.js';
import { listView } from '../lib/table.js';

export const title = 'Contacts';

const KINDS = [
	{ value: 'administrative', label: 'Administrative', help: 'Answers for the organisation; is told when a certificate was issued.' },
	{ value: 'technical', label: 'Technical', help: 'Puts records and challenges in place; is told when a change waits.' },
];

function fields(contact) {
	return [
		field({ name: 'kind', label: 'Kind', type: 'choice', options: KINDS, value: contact.kind, required: true }),
		field({ name: 'name', label: 'Name', value: contact.name, required: true, autocomplete: 'off' }),
		field({ name: 'email', label: 'E-mail address', type: 'email', value: contact.email, required: true, autocomplete: 'off' }),
		field({ name: 'phone', label: 'Telephone', value: contact.phone, optional: true, autocomplete: 'off' }),
	];
}

async function add(ctx, list) {
	const account = await accountField(ctx);
	if (await formDialog({ title: 'Add a contact', submit: 'Add contact', items: [account, ...fields({ kind: 'technical' })],
		run: values => ctx.api.post('/contacts', values) }))
		list.refresh();
}

async function change(ctx, list, contact) {
	if (await formDialog({ title: `Change ${contact.name}`, submit: 'Save', items: fields(contact),
		run: values => ctx.api.patch(`/contacts/${contact.id}`, values, { etag: contact.etag }) }))
		list.refresh();
}

async function remove(ctx, list, contact) {
	if (await confirm({
		title: `Delete ${contact.name}?`, confirm: 'Delete contact', danger: true, text: `No messages go to ${contact.email} any more, unless it is a user's address too.`,
		run: () => ctx.api.delete(`/contacts/${contact.id}`, {}, { etag: contact.etag }),
	}))
		list.refresh();
}

export async function render(ctx) {
	const may = ctx.session.mayManage;
	const adding = () => button('Add a contact', { kind: 'primary', icon: 'plus', run: () => add(ctx, list) });
	const list = listView(ctx, {
		caption: title, one: 'contact', filters: await accountFilters(ctx), topics: ['history'],
		load: async query => {
			const { items, next } = await ctx.api.list('/contacts', 'contacts', query);
			return { items: await withStopped(ctx, query.account, items), next };
		},
		columns: [
			{ label: 'Name', class: 'main', cell: contact => contact.name },
			{ label: 'Kind', class: 'fit', cell: contact => word(contact.kind) },
			{ label: 'E-mail address', cell: contact => [contact.email, contact.stopped.length ? h('span.under', stoppedMark(contact)) : null] },
			{ label: 'Telephone', cell: contact => contact.phone || '–' },
			accountColumn(ctx),
			may ? { label: '', class: 'acts', cell: contact => moreMenu(`Acts on ${contact.name}`, [
				{ label: 'Change', icon: 'edit', run: () => change(ctx, list, contact) }, '-',
				{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, list, contact) },
			]) } : null,
		].filter(Boolean),
		empty: { icon: 'contact', title: 'No contacts yet', text: 'Without one, messages about validation go to administrators and engineers alone.',
			actions: may ? [adding()] : null },
	});
	return page({ title, lead: 'Who is told of validation and of failures beside the users, and whom a CA may ask.', actions: may ? [adding()] : null }, list.node);
}
