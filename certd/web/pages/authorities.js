// SPDX-License-Identifier: Apache-2.0
//
// Certificate authorities: those that certd.yaml names, how they are, and what
// of their limits is used.

import { button } from '../lib/button.js';
import { copyable } from '../lib/copy.js';
import { confirm } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { duration, now, number, short, when } from '../lib/format.js';
import { card, details, emptyState, loaded, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { badge, note, progress } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Certificate authorities';

function stateOf(authority) {
	if (authority.problem)
		return badge('bad', 'Cannot be used');
	if (authority.paused_until_s > now())
		return badge('notice', 'Paused');
	return badge('good', authority.standby ? 'Ready, for standby' : 'Ready');
}

function limits(authority) {
	if (!authority.limits?.length)
		return null;
	return h('div.stack-s', h('h3', 'Limits'), h('div.limits', authority.limits.map(limit)));
}

function limit(each) {
	const part = each.limit ? 100 * each.used / each.limit : 0;
	return progress(part, { label: each.name[0].toUpperCase() + each.name.slice(1), text: `${number(each.used)} of ${number(each.limit)} in ${duration(each.window_s)}`, kind: part >= 80 ? 'notice' : 'plain' });
}

function troubles(authority) {
	return [
		authority.problem ? note('bad', authority.problem[0].toUpperCase() + authority.problem.slice(1)) : null,
		authority.paused_until_s > now() ? note('notice', 'It has asked to be left alone for a while.', { text: ['Asked again ', when(authority.paused_until_s, 'relative'), '. Nothing has to be done.'] }) : null,
	];
}

function draw(ctx, authority, refresh) {
	const may = ctx.session.isOperator;
	const check = async () => {
		const { problem } = await ctx.api.post(`/authorities/${authority.name}:check`);
		toast(problem ? `${authority.name} cannot be used.` : `${authority.name} answers.`, { kind: problem ? 'notice' : 'good' });
		await refresh();
	};
	const rollover = async () => {
		if (await confirm({
			title: `Give the account at ${authority.name} a new key?`, confirm: 'Change the key',
			text: 'A key is made in the token and takes the other\'s place at the CA (RFC 8555 7.3.5). Certificates are not touched.',
			run: () => ctx.api.post(`/authorities/${authority.name}:rollover-key`),
		}))
			await refresh();
	};
	return card({
		title: authority.name,
		actions: [stateOf(authority), may ? button('Check now', { small: true, icon: 'retry', run: check }) : null,
			may && authority.account_url ? button('Change its key', { small: true, run: rollover }) : null],
	}, h('div.stack', troubles(authority), details([
		['Directory', copyable(authority.directory, { label: 'the directory', whole: true })],
		['Account', authority.account_url ? copyable(authority.account_url, { label: 'the account', whole: true }) : 'None yet: it is made when the first certificate is asked for'],
		['Account key', authority.account_key_id ? h('a', { href: href(`/keys/${authority.account_key_id}`) }, h('code', short(authority.account_key_id, 16))) : null],
		['Contacts', authority.contacts?.join(', ')],
		['Profiles', authority.profiles?.join(', ')],
		['Says when to renew', authority.renewal_information ? 'Yes (RFC 9773)' : 'No'],
		['Terms of service', authority.terms_of_service ? copyable(authority.terms_of_service, { label: 'the terms' }) : null],
	]), limits(authority)));
}

export async function render(ctx) {
	const list = loaded(ctx, {
		topics: ['history'],
		load: () => ctx.api.get('/authorities'),
		draw: data => data.authorities?.length ? h('div.stack', data.authorities.map(each => draw(ctx, each, () => list.refresh()))) : emptyState({
			icon: 'authority', title: 'No certificate authority is configured', text: 'Name one under acme.authorities in certd.yaml; docs/examples/certd.yaml shows how. Then certificates come by themselves.',
		}),
	});
	return page({ title, lead: 'Those that certd.yaml names. The first that can be asked is asked.' }, list.node);
}
