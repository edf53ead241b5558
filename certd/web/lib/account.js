// SPDX-License-Identifier: Apache-2.0
//
// Accounts, for who sees all of them: a filter of lists and a field of forms.
// Whoever is of one account is asked nothing. And filters by one object.

import { field } from './field.js';

async function names(ctx) {
	const { items } = await ctx.api.all('/accounts', 'accounts');
	return items.map(each => each.name).sort();
}

/** As a filter of listView(). @param {Object} ctx @returns {Promise<import('./table.js').Filter[]>} none for one account */
export async function accountFilters(ctx) {
	if (!ctx.session.seesAll)
		return [];
	return [{ name: 'account', label: 'Account', options: [['', 'All accounts'], ...(await names(ctx)).map(each => [each, each])] }];
}

/** As a field. @param {Object} ctx @param {Object} [options] as field() @returns {Promise<?import('./field.js').Field>} null for one account */
export async function accountField(ctx, options = {}) {
	if (!ctx.session.seesAll)
		return null;
	const list = await names(ctx);
	return field({ name: 'account', label: 'Account', type: 'select', required: true, value: ctx.query.account || list[0],
		options: list, ...options });
}

/** A column of lists, left out for one account. */
export function accountColumn(ctx) {
	return ctx.session.seesAll ? { label: 'Account', class: 'fit', cell: each => each.account || '–' } : null;
}

/**
 * As a filter of listView(): what belongs to one object, where the address names it (?resource=4, ?object=edge 3).
 * @param {Object} ctx @param {string} name of the API's @param {string} label 'Resource' @returns {import('./table.js').Filter[]}
 */
export function objectFilters(ctx, name, label) {
	const id = ctx.query[name];
	const said = /^\d+$/.test(id) ? `${label} ${id}` : id;
	return id ? [{ name, label, options: [['', `Any ${label.toLowerCase()}`], [id, said]] }] : [];
}
