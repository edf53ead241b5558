// SPDX-License-Identifier: Apache-2.0
//
// Changes: every attempt to obtain a certificate, the newest first.

import { accountColumn, accountFilters, objectFilters } from '../lib/account.js';
import { linkButton } from '../lib/button.js';
import { hasEnded } from '../lib/change/steps.js';
import { changeTitle, kindText, stateText, subjectLink } from '../lib/change/words.js';
import { h } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { progress, stateBadge } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Changes';

function nameCell(change) {
	return [h('a', { href: href(`/changes/${change.id}`) }, changeTitle(change)), h('span.under', kindText(change))];
}

function stateCell(change) {
	const said = change.problem || (hasEnded(change) || change.state.startsWith('awaiting') ? '' : change.doing);
	return h('div.stack-s', h('span', stateBadge(change.state, stateText(change.state))),
		hasEnded(change) ? null : progress(change.percent, { label: 'Under way' }), said ? h('span.under.clamp', { title: said }, said) : null);
}

export async function render(ctx) {
	return page({ title, lead: 'Each attempt to obtain a certificate, from the order to the proof that every edge serves it.' }, listView(ctx, {
		caption: title, one: 'change', topics: 'changes', path: change => `/changes/${change.id}`,
		filters: [...await accountFilters(ctx), ...objectFilters(ctx, 'resource', 'Resource'), ...objectFilters(ctx, 'enrollment', 'Enrollment'), { name: 'under_way', label: 'Under way only' }],
		load: query => ctx.api.list('/changes', 'changes', query),
		columns: [
			{ label: 'Certificate for', class: 'main', cell: nameCell },
			{ label: 'State', class: 'wide', cell: stateCell },
			{ label: 'Belongs to', class: 'fit', cell: subjectLink },
			accountColumn(ctx),
			{ label: 'Begun', class: 'fit', cell: change => when(change.created_s, 'both') },
		].filter(Boolean),
		empty: { icon: 'change', title: 'No changes yet', text: 'A change begins when a certificate is to be obtained: by a resource whose mode is automatic or ACME, or by an enrollment.',
			actions: ctx.session.mayChange ? [linkButton('Create a resource', '/resources/new', { icon: 'plus', kind: 'primary' }), linkButton('Enroll host names', '/enrollments/new', { icon: 'enrollment' })] : null },
	}));
}
