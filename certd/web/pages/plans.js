// SPDX-License-Identifier: Apache-2.0
//
// Plans: replacing everything of a CA, a key or a profile within a time.

import { linkButton } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { duration, number, when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { titleOf } from '../lib/plan/parts.js';
import { planBar } from '../lib/plan/view.js';
import { stateBadge } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Plans';

export async function render(ctx) {
	const add = () => linkButton('Plan a replacement', '/plans/new', { kind: 'primary', icon: 'plus' });
	const may = ctx.session.isOperator;
	return page({ title, lead: 'When a CA, a key or a profile must go: replace everything of it, at the pace that CAs and edges bear.', actions: may ? [add()] : null }, listView(ctx, {
		caption: title, one: 'plan', topics: ['changes', 'history'], load: query => ctx.api.list('/plans', 'plans', query), path: plan => `/plans/${plan.id}`,
		columns: [
			{ label: 'Plan', class: 'main', cell: plan => titleOf(plan.asked) },
			{ label: 'State', class: 'fit', cell: plan => stateBadge(plan.state) },
			{ label: 'Replaced', class: 'wide', cell: plan => h('div.stack-s', h('span.num', `${number(plan.done)} of ${number(plan.total)}`), plan.state === 'estimated' ? null : planBar(plan)) },
			{ label: 'Takes', class: 'fit', cell: plan => duration(plan.estimate_s) },
			{ label: 'Made', class: 'fit', cell: plan => when(plan.created_s, 'both') },
		],
		empty: { icon: 'plan', title: 'No plans', text: 'A plan says first how many certificates it would replace, how long that takes and what bounds it. Nothing is replaced before it is started.', actions: may ? [add()] : null },
	}));
}
