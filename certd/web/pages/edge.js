// SPDX-License-Identifier: Apache-2.0
//
// One edge: what it serves, what it does not, what is signed for it, and how to
// stop it.

import { button } from '../lib/button.js';
import { copyable } from '../lib/copy.js';
import { h, mount } from '../lib/dom.js';
import { edgeBadge, heldBackNote, lagText, quarantine, release, releaseHelp } from '../lib/edges.js';
import { number, plural, relative, when } from '../lib/format.js';
import { card, details, emptyState, figures, loaded, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { note } from '../lib/status.js';
import { table } from '../lib/table.js';
import { signingOf } from './overview/signing.js';

export const title = 'Edge';

const BEHIND_MAX = 100;

/* ---- what is wrong with it ---- */

function says(ctx, edge) {
	const list = [];
	if (edge.state === 'held_back')
		list.push(heldBackNote(ctx, edge.name));
	if (edge.state === 'quarantined')
		list.push(note('bad', 'It is quarantined: keyd signs nothing for it.', { text: ['Who stopped it, when and why is among the ', h('a', { href: href('/audit?kind=custody') }, 'custody acts of the audit ledger'), '.'] }));
	if (edge.state === 'away')
		list.push(note('notice', `Nothing was heard of it for a while; the last time was ${relative(edge.last_seen_s)}.`, { text: 'It may still serve what it has: keyd signs for it as before. Look whether edged runs there and reaches certd. Until it is back it does not count for whether a certificate is served everywhere.' }));
	if (edge.state === 'expected')
		list.push(note('info', 'It was invited, and has not been seen yet.', { text: 'Start edged there with its join file. It then appears as live within seconds.' }));
	if (edge.problem)
		list.push(note('notice', 'What it reports', { text: edge.problem }));
	return list;
}

function ledgerLink(text, edge) {
	return h('a', { href: href(`/audit?identity=${encodeURIComponent(`edge/${edge.name}`)}`) }, text);
}

/* ---- what it serves ---- */

function numbers(edge) {
	const missing = edge.sites - edge.served;
	const lag = edge.current_version - edge.applied_version;
	return figures([
		{ label: 'Sites served', value: [number(edge.served), h('span.of', ` of ${number(edge.sites)}`)], kind: missing ? 'notice' : '', icon: missing ? 'notice_mark' : '',
			under: missing ? `${number(missing)} not as they should be` : 'All as they should be' },
		{ label: 'Version in place', value: number(edge.applied_version), kind: lag > 0 ? 'notice' : '', icon: lag > 0 ? 'notice_mark' : '', under: `${lagText(edge)}${lag ? `; the newest is ${number(edge.current_version)}` : ''}` },
		{ label: 'Last seen', value: edge.last_seen_s ? relative(edge.last_seen_s) : 'never', under: edge.last_seen_s ? when(edge.last_seen_s) : null },
	]);
}

function behindCard(edge) {
	if (!edge.behind.length)
		return card({ title: 'What is behind' }, edge.sites
			? emptyState({ icon: 'good', title: 'Nothing', text: 'Each site of its group was seen served as it should be, by connecting to it as a visitor does.' })
			: emptyState({ icon: 'resource', title: 'No sites', text: `No resource is served by the group ${edge.edge_group || 'of this edge'} yet.` }));
	return card({ title: 'What is behind', flush: true, text: edge.behind.length >= BEHIND_MAX ? `The first ${BEHIND_MAX} sites that are not as they should be.` : 'Sites that are not as they should be.' },
		table({ caption: 'Sites that are not as they should be', rows: edge.behind, path: site => `/resources/${site.id}`, columns: [
			{ label: 'Resource', class: 'main', cell: site => [h('a', { href: href(`/resources/${site.id}`) }, site.name), h('span.under', stageOf(site))] },
			{ label: 'Problem', cell: site => site.problem || h('span.quiet', 'None told: it may be a matter of seconds') },
			{ label: 'Certificate seen', class: 'fit', cell: site => site.seen ? copyable(site.seen, { label: 'the fingerprint', short: 12 }) : h('span.quiet', '–') },
		] }));
}

function stageOf(site) {
	const wanted = number(site.current_version);
	if (site.applied_version < site.current_version)
		return `Has version ${number(site.applied_version)} of ${wanted} in place`;
	return site.served_version ? `Serves version ${number(site.served_version)} of ${wanted}` : `Version ${wanted} is in place, and was not seen served`;
}

/* ---- beside it ---- */

function factsCard(edge) {
	return card({ title: 'Edge' }, details([
		['Name', copyable(edge.name, { label: 'the name' })],
		['Group', edge.edge_group ? h('a', { href: href(`/edges?edge_group=${encodeURIComponent(edge.edge_group)}`) }, edge.edge_group) : '–'],
		['edged', edge.program || '–'],
		['Serves', plural(edge.sites, 'site')],
		['On record', ledgerLink('What was signed for it', edge)],
	]));
}

function draw(ctx, edge) {
	return h('div.stack', says(ctx, edge), numbers(edge), h('div.split', h('div.stack', behindCard(edge)),
		h('div.stack', factsCard(edge), edge.state === 'quarantined' ? card({ title: 'How to release it' }, releaseHelp(edge.name)) : null)));
}

function actionsOf(ctx, edge, stopped) {
	if (!ctx.session.isOperator)
		return null;
	if (edge.state === 'quarantined')
		return button('Release', { run: () => release(edge.name) });
	return button('Quarantine', { kind: 'danger', icon: 'stop', run: async () => await quarantine(ctx, edge) && stopped() });
}

export async function render(ctx) {
	const path = `/edges/${encodeURIComponent(ctx.params.name)}`;
	let first = await ctx.api.get(path);
	const badge = h('span', edgeBadge(first));
	const acts = h('div.actions');
	const sync = edge => {
		mount(badge, edgeBadge(edge));
		mount(acts, actionsOf(ctx, edge, stopped));
	};
	/* keyd has stopped it; certd learns of that a little later. */
	let is_stopped = false;
	const stopped = () => {
		is_stopped = true;
		return part.refresh();
	};
	const part = loaded(ctx, {
		topics: ['edges', 'resources', 'certificates'], draw: edge => { sync(edge); return draw(ctx, edge); },
		load: async () => {
			const edge = first || await ctx.api.get(path);
			first = null;
			is_stopped &&= edge.state !== 'quarantined';
			return is_stopped ? { ...edge, state: 'quarantined' } : edge;
		},
	});
	ctx.setTitle(ctx.params.name);
	return page({ title: ctx.params.name, badge, crumbs: [['Edges', '/edges']], actions: [acts] }, h('div.stack', part, signingOf(ctx, ctx.params.name)));
}
