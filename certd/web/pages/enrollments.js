// SPDX-License-Identifier: Apache-2.0
//
// Enrollments: certificates that are obtained by ACME and renewed by
// themselves.

import { accountColumn, accountFilters, objectFilters } from '../lib/account.js';
import { linkButton } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { some, when, word } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { expiryTime, stateBadge } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Enrollments';

const STATES = [['', 'Any state'], ['pending', 'Pending'], ['active', 'Active'], ['failed', 'Failed'], ['revoked', 'Revoked']];

function nameCell(enrollment) {
	return [h('a', { href: href(`/enrollments/${enrollment.id}`) }, enrollment.name),
		h('span.under', some(enrollment.hostnames.filter(each => each !== enrollment.name), 3))];
}

function stateCell(enrollment) {
	return h('div.stack-s', h('span', stateBadge(enrollment.state)), enrollment.problem ? h('span.under.clamp', { title: enrollment.problem }, enrollment.problem) : null);
}

function forCell(enrollment) {
	return [enrollment.resource ? h('a', { href: href(`/resources/${enrollment.resource}`) }, `Resource ${enrollment.resource}`) : h('span', 'The account'), h('span.under', word(enrollment.validation))];
}

export async function render(ctx) {
	const add = () => linkButton('Enroll host names', '/enrollments/new', { kind: 'primary', icon: 'plus' });
	const may = ctx.session.mayChange;
	return page({ title, lead: 'Certificates that are obtained by ACME and renewed by themselves, for resources or for the account.', actions: may ? [add()] : null }, listView(ctx, {
		caption: title, one: 'enrollment', topics: ['enrollments', 'changes'], filters: [...await accountFilters(ctx), ...objectFilters(ctx, 'resource', 'Resource'), { name: 'state', label: 'State', options: STATES }],
		load: query => ctx.api.list('/enrollments', 'enrollments', query), path: each => `/enrollments/${each.id}`,
		columns: [
			{ label: 'Name', class: 'main', cell: nameCell },
			{ label: 'State', class: 'wide', cell: stateCell },
			{ label: 'For', class: 'fit', cell: forCell },
			accountColumn(ctx),
			{ label: 'Expires', class: 'fit', cell: each => expiryTime(each.not_after_s) },
			{ label: 'Next', class: 'fit', cell: each => each.next_at_s ? when(each.next_at_s, 'relative') : h('span.quiet', '–') },
		].filter(Boolean),
		empty: { icon: 'enrollment', title: 'No enrollments yet', text: 'An enrollment says which certificate is wanted; it is obtained, and renewed from then on. Resources of mode automatic and ACME make theirs by themselves.',
			actions: may ? [add(), linkButton('Create a resource', '/resources/new', { icon: 'resource' })] : null },
	}));
}
