// SPDX-License-Identifier: Apache-2.0
//
// Whose a certificate becomes and what it may be bound to: fields of forms.

import { h, mount } from '../dom.js';
import { field } from '../field.js';
import { problemNote } from '../layout.js';

const SHOWN_MAX = 500;

/** For those who see all accounts; null for others, whose account is known. @param {Object} ctx @param {string} [value] */
export async function accountField(ctx, value = '', onInput) {
	if (!ctx.session.seesAll)
		return null;
	const { items } = await ctx.api.all('/accounts', 'accounts');
	return field({ name: 'account', label: 'Account', type: 'select', required: true, value, onInput,
		options: [['', 'Choose an account'], ...items.map(each => [each.name, each.title ? `${each.title} (${each.name})` : each.name])] });
}

function boxes(resources, chosen) {
	if (!resources.length)
		return h('p.small.quiet', 'The account has no resources yet.');
	return resources.map(each => {
		const id = `scope-${each.id}`;
		return h('div.check', h('input', { id, type: 'checkbox', checked: chosen.has(each.id),
			on: { change: event => chosen[event.target.checked ? 'add' : 'delete'](each.id) } }),
		h('label', { for: id }, each.name, ' ', h('span.small.quiet', each.hostnames[0] || '')));
	});
}

/**
 * All of the account, or only some resources. As a field of form.js, named scope: a list of ids.
 * @param {Object} ctx @param {{account: function(): string, value?: number[]}} options
 */
export function scopeField(ctx, options) {
	const chosen = new Set(options.value || []);
	const list = h('div.scope-list', { role: 'group', 'aria-label': 'Resources', hidden: true });
	const draw = async () => {
		list.hidden = choice.value !== 'some';
		if (list.hidden)
			return;
		try {
			const { items } = await ctx.api.all('/resources', 'resources', { account: options.account(), order_by: 'name' }, SHOWN_MAX);
			mount(list, boxes(items, chosen));
		} catch (problem) {
			if (problem.name !== 'AbortError')
				mount(list, problemNote(problem));
		}
	};
	const choice = field({ name: 'scope', label: 'May be bound to', type: 'choice', value: chosen.size ? 'some' : 'all', onInput: draw,
		options: [{ value: 'all', label: 'Every resource', help: 'of the account whose host names it covers' }, { value: 'some', label: 'Only some', help: 'which you choose' }] });
	const self = {
		...choice, name: 'scope', setError: choice.setError, focus: choice.focus,
		node: h('div.stack-s', choice.node, list),
		get value() { return choice.value === 'some' ? [...chosen] : []; },
		validate() {
			const missing = choice.value === 'some' && chosen.size === 0;
			choice.setError(missing ? 'Choose at least one resource, or every resource.' : '');
			return !missing;
		},
		again: draw,
	};
	draw();
	return self;
}
