// SPDX-License-Identifier: Apache-2.0
//
// Plan a replacement: what it replaces and by when. It is estimated first.

import { Problem } from '../lib/api.js';
import { h } from '../lib/dom.js';
import { field, form, more } from '../lib/form.js';
import { card, page } from '../lib/layout.js';
import { seconds } from '../lib/plan/parts.js';
import { steps } from '../lib/status.js';

export const title = 'Plan a replacement';

const REVOKE = [
	{ value: 'unspecified', label: 'Leave them', help: 'The old certificates run out by themselves.' },
	{ value: 'superseded', label: 'Revoke: superseded', help: 'Each when every edge was seen serving its successor.' },
	{ value: 'key_compromise', label: 'Revoke: key compromise', help: 'The same, and the CA tells everybody not to trust the key.' },
];

const WHAT = ['authority', 'issuer', 'key', 'pool', 'profile', 'account'];

async function fields(ctx) {
	const [authorities, accounts] = await Promise.all([ctx.api.get('/authorities').then(each => each.authorities || []), ctx.api.all('/accounts', 'accounts').then(each => each.items)]);
	const profiles = [...new Set(authorities.flatMap(each => each.profiles || []))].sort();
	const names = authorities.map(each => [each.name, each.name]);
	return {
		authority: field({ name: 'authority', label: 'Of the CA', type: 'select', value: ctx.query.authority || '', options: [['', 'Any'], ...names] }),
		key: field({ name: 'key', label: 'With the key', optional: true, mono: true, value: ctx.query.key || '', placeholder: 'its id, 64 hex digits', check: value => /^[0-9a-f]{64}$/.test(value) ? '' : 'A key is named by its id: 64 hex digits, in lower case.' }),
		pool: field({ name: 'pool', label: 'With keys of the pool', optional: true, value: ctx.query.pool || '' }),
		issuer: field({ name: 'issuer', label: 'Issued by', optional: true, value: ctx.query.issuer || '', help: 'Common name of the issuer, as it stands in the certificates.' }),
		profile: profiles.length ? field({ name: 'profile', label: 'Of the profile', type: 'select', options: [['', 'Any'], ...profiles.map(each => [each, each])] }) : field({ name: 'profile', label: 'Of the profile', optional: true }),
		account: field({ name: 'account', label: 'Of the account', type: 'select', value: ctx.query.account || '', options: [['', 'Any'], ...accounts.map(each => [each.name, each.title || each.name])] }),
		within: field({ name: 'within', label: 'Within', type: 'number', required: true, value: 24, attributes: { min: 1, max: 8760, step: 1 } }),
		unit: field({ name: 'unit', label: 'Unit', type: 'select', value: 'hours', options: [['hours', 'hours'], ['days', 'days']] }),
		to: field({ name: 'to_authority', label: 'New ones from', type: 'select', options: [['', 'Where each enrollment says'], ...names] }),
		revoke: field({ name: 'revoke', label: 'The old ones', type: 'choice', required: true, value: 'unspecified', options: REVOKE }),
	};
}

async function send(ctx, values) {
	const { within, unit, revoke, ...asked } = values;
	const named = WHAT.filter(each => asked[each]);
	if (!named.length)
		throw new Problem(400, { title: 'Say what is to be replaced', detail: 'Choose a CA, or name a key, a pool, an issuer, a profile or an account. Of several, all must hold.' });
	const plan = await ctx.api.post('/plans', { ...asked, within_s: seconds(within, unit), ...revoke === 'unspecified' ? {} : { revoke } });
	await ctx.navigate(`/plans/${plan.id}`);
}

function wayCard() {
	return card({ title: 'What happens then' }, steps([
		{ state: 'neutral', title: 'It is estimated', text: 'How many, how long, and what bounds it: the CA\'s limits, the token, the edges. Nothing is replaced yet.' },
		{ state: 'neutral', title: 'You start it', text: 'Or not. It can be paused and cancelled.' },
		{ state: 'neutral', title: 'Each certificate is replaced', text: 'The old one serves until the new one is proven. What fails is tried again after the others.' },
	]));
}

export async function render(ctx) {
	const all = await fields(ctx);
	const part = (options, ...items) => ({ node: card(options, h('div.stack', items)), fields: items.flatMap(each => each.fields || [each]) });
	const rest = more('Key, pool, issuer, profile, account', all.key, all.pool, all.issuer, all.profile, all.account);
	const time = { node: h('div.pair', all.within, all.unit), fields: [all.within, all.unit] };
	return page({ title, crumbs: [['Plans', '/plans']], lead: 'Of certificates that certd has obtained. Where several are named, all must hold.' }, h('div.split', form(ctx, {
		wide: true, submit: 'Estimate', submitIcon: 'plan', cancel: '/plans', onSubmit: values => send(ctx, values),
		items: [part({ title: 'What is replaced' }, all.authority, rest), part({ title: 'How' }, time, all.to, all.revoke)],
	}), wayCard()));
}
