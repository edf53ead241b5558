// SPDX-License-Identifier: Apache-2.0
//
// Edges: how far each one has come with what it must serve, and how much keyd
// signs for it.

import { button } from '../lib/button.js';
import { edgeBadge, heldBackNote, inviteHelp, lagText, servedBar } from '../lib/edges.js';
import { h, mount } from '../lib/dom.js';
import { microseconds, number, when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { listView } from '../lib/table.js';

export const title = 'Edges';

const EDGES_MAX = 5000;
const WINDOW_S = 300;
const STATES = [['', 'All states'], ['live', 'Live'], ['away', 'Away'], ['held_back', 'Held back'], ['quarantined', 'Quarantined'], ['expected', 'Expected']];
/* The worst first. */
const ORDER = ['held_back', 'quarantined', 'away', 'expected', 'live'];

async function load(ctx, groups, query) {
	const [edges, signing] = await Promise.all([
		ctx.api.all('/edges', 'edges', { edge_group: query.edge_group }, EDGES_MAX),
		/* Without it the list is still worth having: keyd may be away. */
		ctx.api.get('/overview:signing', { window_s: WINDOW_S }).catch(() => ({ series: [] })),
	]);
	const points = new Map(signing.series.map(each => [each.identity.replace(/^edge\//, ''), each.points]));
	const items = edges.items.filter(each => !query.state || each.state === query.state).map(each => ({ ...each, signing: summary(points.get(each.name)) }));
	groups(edges.items);
	return { items, next: '' };
}

function summary(points = []) {
	const since_s = Date.now() / 1000 - WINDOW_S;
	const signed = points.filter(each => each.at_s >= since_s && each.signatures);
	const count = signed.reduce((n, each) => n + each.signatures, 0);
	const middle = signed.map(each => each.p50_us).sort((a, b) => a - b)[Math.floor(signed.length / 2)] || 0;
	return { rate: Math.round(10 * count / WINDOW_S) / 10, p50_us: middle };
}

function signingCell({ signing }) {
	if (!signing.p50_us)
		return h('span.quiet', 'None');
	return [h('span.num', `${signing.rate ? number(signing.rate) : '< 0.1'} / s`), h('span.under', microseconds(signing.p50_us))];
}

function nameCell(edge) {
	return [h('a', { href: href(`/edges/${encodeURIComponent(edge.name)}`) }, edge.name), h('span.under', edge.edge_group || 'No group')];
}

function stateCell(edge) {
	return [edgeBadge(edge), edge.problem ? h('span.under', edge.problem) : null];
}

export async function render(ctx) {
	const banner = h('div.tab-note');
	let is_held = null;
	const look = edges => {
		const held = edges.some(each => each.state === 'held_back');
		if (held !== is_held)
			mount(banner, held ? heldBackNote(ctx) : null);
		is_held = held;
	};
	const groups = [...new Set((await ctx.api.all('/edges', 'edges', {}, EDGES_MAX)).items.map(each => each.edge_group).filter(Boolean))].sort();
	const add = () => button('Add an edge', { kind: 'primary', icon: 'plus', run: () => inviteHelp() });
	const list = listView(ctx, {
		caption: title, one: 'edge', search: 'Name', local: true, order: 'state', topics: ['edges', 'resources', 'certificates'],
		filters: [{ name: 'state', label: 'State', options: STATES },
			groups.length > 1 || ctx.query.edge_group ? { name: 'edge_group', label: 'Group', options: [['', 'All groups'], ...groups.map(each => [each, each])] } : null].filter(Boolean),
		load: query => load(ctx, look, query),
		text: edge => `${edge.name} ${edge.edge_group} ${edge.problem}`,
		path: edge => `/edges/${encodeURIComponent(edge.name)}`,
		columns: [
			{ label: 'Edge', class: 'main', sort: 'name', value: edge => edge.name, cell: nameCell },
			{ label: 'State', sort: 'state', value: edge => ORDER.indexOf(edge.state) * 2 + (edge.problem ? 0 : 1), cell: stateCell },
			{ label: 'Serves', sort: 'served', value: edge => edge.sites ? edge.served / edge.sites : 1, cell: servedBar },
			{ label: 'Version', class: 'fit', sort: 'lag', desc: true, value: edge => edge.current_version - edge.applied_version,
				cell: edge => [h('span.num', number(edge.applied_version)), h('span.under', lagText(edge))] },
			{ label: 'Signs', class: 'fit', sort: 'signs', desc: true, value: edge => edge.signing.rate, cell: signingCell },
			{ label: 'Last seen', class: 'fit', sort: 'seen', desc: true, value: edge => edge.last_seen_s, cell: edge => when(edge.last_seen_s, 'relative') },
		],
		empty: { icon: 'edge', title: 'No edges yet', text: 'Edges serve your sites, and have each signature made by the HSM. They hold no private key.', actions: ctx.session.isOperator ? [add()] : null },
	});
	return page({ title, lead: 'They serve the sites, with keys that never leave the HSM. The worst stand first.', actions: ctx.session.isOperator ? [add()] : null }, banner, list.node);
}
