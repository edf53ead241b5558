// SPDX-License-Identifier: Apache-2.0
//
// Tokens: what scripts authenticate to the REST API with. A secret is shown
// once, when it is made.

import { accountColumn, accountField, accountFilters } from '../lib/account.js';
import { button } from '../lib/button.js';
import { codeBlock, copyable } from '../lib/copy.js';
import { confirm, dialog } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { field, more } from '../lib/form.js';
import { formDialog } from '../lib/form_dialog.js';
import { now, some, when, word } from '../lib/format.js';
import { actorText } from '../lib/history.js';
import { page } from '../lib/layout.js';
import { badge } from '../lib/status.js';
import { listView } from '../lib/table.js';
import { ROLES } from './users.js';

export const title = 'Tokens';

const DAY_S = 86400;
const LIVES = [[String(30 * DAY_S), '30 days'], [String(90 * DAY_S), '90 days'], [String(366 * DAY_S), 'a year']];
const SCOPES = ['certificates:read', 'certificates:write', 'resources:read', 'resources:write', 'account:read', 'account:write'];

function showSecret(answer) {
	dialog({
		title: `The secret of ${answer.token.name}`, wide: true,
		body: h('div.stack',
			h('p', 'It is shown here and never again: only a hash of it is kept. Put it where the script reads it, such as a file of mode 0600.'),
			copyable(answer.secret, { label: 'the secret', whole: true }),
			codeBlock(`curl --header @token.header ${location.origin}/v1/certificates`, { label: 'A first request' }),
			h('p.quiet', 'token.header holds the line ', h('code', 'Authorization: Bearer SECRET'), ', so that the secret is in no list of processes.')),
	});
}

async function add(ctx, list) {
	const account = await accountField(ctx);
	const answer = await formDialog({
		title: 'Make a token', submit: 'Make token',
		items: [account,
			field({ name: 'name', label: 'Name', required: true, help: 'What it is for: "ci", "monitoring".', autocomplete: 'off' }),
			field({ name: 'role', label: 'Role', type: 'choice', options: ROLES, value: 'engineer', required: true }),
			field({ name: 'ttl_s', label: 'Works for', type: 'select', options: LIVES, value: String(90 * DAY_S) }),
			more('Scopes', h('p.quiet', 'With none chosen it may do all that its role allows.'), SCOPES.map(each => field({ name: each, label: each, type: 'check' })))],
		run: values => ctx.api.post('/tokens', {
			account: values.account, name: values.name, role: values.role, ttl_s: Number(values.ttl_s), scopes: SCOPES.filter(each => values[each]),
		}, { key: null }),
	});
	if (!answer)
		return;
	list.refresh();
	showSecret(answer);
}

async function revoke(ctx, list, token) {
	if (await confirm({
		title: `Revoke ${token.name}?`, confirm: 'Revoke token', danger: true, text: 'The next request with it is refused. It cannot be brought back; make a new one.',
		run: () => ctx.api.post(`/tokens/${token.id}:revoke`),
	}))
		list.refresh();
}

function stateOf(token) {
	if (token.revoked_s)
		return badge('neutral', 'Revoked');
	if (token.expires_s < now())
		return badge('neutral', 'Ended');
	return token.expires_s < now() + 14 * DAY_S ? badge('notice', 'Ends soon') : badge('good', 'In force');
}

function isInForce(token) {
	return !token.revoked_s && token.expires_s > now();
}

export async function render(ctx) {
	const may = ctx.session.mayManage;
	const adding = () => button('Make a token', { kind: 'primary', icon: 'plus', run: () => add(ctx, list) });
	const list = listView(ctx, {
		caption: title, one: 'token', filters: await accountFilters(ctx), topics: ['history'],
		load: query => ctx.api.list('/tokens', 'tokens', query),
		columns: [
			{ label: 'Name', class: 'main', cell: token => [token.name, h('span.under', h('code', `${token.hint}…`))] },
			{ label: 'State', class: 'fit', cell: stateOf },
			{ label: 'May', cell: token => [word(token.role), token.scopes?.length ? h('span.under', some(token.scopes, 3)) : null] },
			{ label: 'Made by', cell: token => actorText(token.created_by) },
			accountColumn(ctx),
			{ label: 'Last used', class: 'fit', cell: token => token.last_used_s ? when(token.last_used_s, 'relative') : h('span.quiet', 'Never') },
			{ label: 'Ends', class: 'fit', cell: token => when(token.expires_s, 'both') },
			may ? { label: '', class: 'acts', cell: token => isInForce(token) ? button('Revoke', { small: true, run: () => revoke(ctx, list, token) }) : null } : null,
		].filter(Boolean),
		empty: { icon: 'token', title: 'No tokens yet', text: 'A script that uses the REST API shows one. It does no more than its role and its scopes allow, and ends by itself.',
			actions: may ? [adding()] : null },
	});
	return page({ title, lead: 'What scripts authenticate to the REST API with.', actions: may ? [adding()] : null }, list.node);
}
