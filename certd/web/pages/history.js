// SPDX-License-Identifier: Apache-2.0
//
// History: what was done in certd, by whom. What was done with keys stands in
// the audit ledger.

import { accountColumn, accountFilters, objectFilters } from '../lib/account.js';
import { h } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { actorText, actText } from '../lib/history.js';
import { page } from '../lib/layout.js';
import { objectLink } from '../lib/object_link.js';
import { listView } from '../lib/table.js';

export const title = 'History';

export async function render(ctx) {
	return page({ title, lead: 'What was done here, by whom, newest first. It cannot be changed here; what was done with keys is in the audit ledger.' },
		listView(ctx, {
			caption: title, one: 'event', filters: [...await accountFilters(ctx), ...objectFilters(ctx, 'object', 'Object')], topics: ['history'],
			load: query => ctx.api.list('/history', 'events', query),
			columns: [
				{ label: 'What', class: 'main', cell: event => [h('span', actText(event.act)), event.detail ? h('span.under.clamp', { title: event.detail }, event.detail) : null] },
				{ label: 'Of', class: 'fit', cell: event => objectLink(event.object) },
				{ label: 'By', cell: event => actorText(event.actor) },
				accountColumn(ctx),
				{ label: 'When', class: 'fit', cell: event => when(event.at_s) },
			].filter(Boolean),
			empty: { icon: 'history', title: 'Nothing has happened yet', text: 'Each change of certificates, resources and people, each log-in and each certificate that was obtained is written down here.' },
		}));
}
