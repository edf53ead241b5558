// SPDX-License-Identifier: Apache-2.0
//
// The audit ledger: what keyd was asked and what it decided. Its checkpoint is
// verified here, and each entry's place in it on a page of its own.

import { button } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { short } from '../lib/format.js';
import { loaded, page } from '../lib/layout.js';
import { entryTime, outcomeBadge, readListed, verifyLedger, whatMore, whatText, whoText } from '../lib/ledger.js';
import { href } from '../lib/router.js';
import { listView } from '../lib/table.js';
import { ledgerCard } from './audit/ledger_card.js';

export const title = 'Audit ledger';

const EVERY_MS = 5000;
const ROUNDS = 8;
const FILTERS = [
	{ name: 'identity', label: 'Who: edge/fra-1, edge/*', type: 'text' },
	{ name: 'key_id', label: 'Key id, hex', type: 'text' },
	{ name: 'kind', label: 'Kind', options: [['', 'All kinds'], ['sign', 'Signing'], ['custody', 'Custody acts']] },
	{ name: 'decision', label: 'Outcome', options: [['', 'All outcomes'], ['allowed', 'Allowed'], ['refused', 'Refused']] },
	{ name: 'since', label: 'From', type: 'datetime-local' },
	{ name: 'until', label: 'Until', type: 'datetime-local' },
];

function seconds(local) {
	const at_ms = Date.parse(local);
	return Number.isNaN(at_ms) ? '' : Math.floor(at_ms / 1000);
}

async function load(ctx, { since, until, search, order_by, ...query }) {
	const page_of = await ctx.api.list('/ledger/entries', 'entries', { ...query, key_id: query.key_id?.replaceAll(':', '').toLowerCase(), since_s: since && seconds(since), until_s: until && seconds(until) });
	return { items: page_of.items.map(readable), next: page_of.next };
}

/* Its time is a BigInt, which JSON does not have. */
function readable(listed) {
	const entry = readListed(listed);
	return { ...entry, time_ns: String(entry.time_ns) };
}

const COLUMNS = [
	{ label: 'What', class: 'main sentence', cell: entry => [h('a', { href: href(`/audit/${entry.number}`) }, whatText(entry)), h('span.under', whatMore(entry))] },
	{ label: 'Outcome', cell: entry => [outcomeBadge(entry), entry.reason ? h('span.under', entry.reason) : null] },
	{ label: 'Who', cell: entry => [whoText(entry), entry.on_behalf_of ? h('span.under', `for ${entry.on_behalf_of}`) : null] },
	{ label: 'Key', class: 'fit', cell: entry => entry.key_id ? h('a', { href: href(`/keys/${entry.key_id}`), title: entry.key_id }, h('code', short(entry.key_id, 10))) : h('span.quiet', '–') },
	{ label: 'When', class: 'fit', cell: entry => [entryTime(entry), h('span.under.num', `Entry ${entry.number}`)] },
];

/* New entries come by the second, without an event: it is asked for them, until somebody reads. */
function follow(ctx, node, refresh) {
	let on = true;
	const reads = () => document.hidden || !getSelection().isCollapsed || node.contains(document.activeElement) && document.activeElement.closest('td');
	const timer = setInterval(() => on && !reads() && refresh(), EVERY_MS);
	ctx.signal.addEventListener('abort', () => clearInterval(timer));
	const act = button('Pause', { icon: 'pause', title: 'New entries appear by themselves', run: () => {
		on = !on;
		act.replaceWith(other);
	} });
	const other = button('Follow', { icon: 'play', title: 'Show new entries as they come', run: () => {
		on = true;
		refresh();
		other.replaceWith(act);
	} });
	return act;
}

export async function render(ctx) {
	const head = loaded(ctx, { lines: 3, load: () => ctx.api.get('/ledger').then(verified), draw: data => ledgerCard(ctx, data) });
	const tools = h('div.actions');
	const list = listView(ctx, {
		caption: 'Entries', one: 'entry', many: 'entries', filters: FILTERS, rounds: ROUNDS, tools: [tools],
		load: query => load(ctx, query), path: entry => `/audit/${entry.number}`, columns: COLUMNS,
		empty: { icon: 'ledger', title: 'No entries yet', text: 'Each request to sign, and each act on a key, is recorded here before it is answered.' },
	});
	tools.append(follow(ctx, list.node, list.refresh));
	return page({ title, lead: 'What keyd was asked, by whom, and what it decided. Nobody can change, drop or reorder an entry without your noticing.' },
		h('div.stack', head, list.node));
}

async function verified(described) {
	try {
		return { described, result: await verifyLedger(described) };
	} catch (problem) {
		if (problem.name !== 'ProofError')
			throw problem;
		return { described, problem: { code: problem.code, message: problem.message } };
	}
}
