// SPDX-License-Identifier: Apache-2.0
//
// Overview: what needs somebody now, what expires when, and for who sees all,
// how keyd is and what it signs. Whoever has nothing yet sees how to begin.

import { linkButton } from '../lib/button.js';
import { stackedBars } from '../lib/chart.js';
import { h, icon } from '../lib/dom.js';
import { date, number, plural, when } from '../lib/format.js';
import { card, emptyState, figures, loaded, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { badge } from '../lib/status.js';
import { beginning } from './overview/beginning.js';
import { custody } from './overview/custody.js';
import { signing } from './overview/signing.js';

export const title = 'Overview';

const DAY_S = 86400;
const DAYS = 90;
const SOON_DAYS = 14;

export async function render(ctx) {
	const { session } = ctx;
	const seen = await ctx.api.get('/overview');
	const actions = [linkButton('Create a resource', '/resources/new', { icon: 'resource' }),
		linkButton('Add a certificate', '/certificates/new', { kind: 'primary', icon: 'plus' })];
	const head = { title, actions: session.mayChange && !isEmpty(seen) ? actions : null };
	let first = seen;
	const load = async () => {
		const data = first || await ctx.api.get('/overview');
		first = null;
		return data;
	};
	const topics = ['certificates', 'changes', 'resources', 'edges', 'notices'];
	return page(head, h('div.stack', loaded(ctx, { load, topics, lines: 10, draw: data => draw(ctx, data) }),
		session.seesAll ? signing(ctx) : null));
}

function isEmpty(data) {
	return data.certificates === 0 && data.resources === 0 && data.enrollments === 0;
}

function draw(ctx, data) {
	if (isEmpty(data))
		return h('div.stack', beginning(ctx.session), ctx.session.seesAll ? custody(data) : null);
	return h('div.stack',
		figures(numbers(ctx, data)),
		ctx.session.seesAll ? h('div.overview-top', needs(ctx, data), custody(data)) : needs(ctx, data),
		timeline(ctx, data));
}

function numbers(ctx, data) {
	const edges = data.edges_live + data.edges_away + data.edges_held_back + data.edges_quarantined;
	const expires = '/certificates?expires_within_days=14&order=expires';
	return [
		{ label: 'Certificates', value: number(data.certificates), path: '/certificates' },
		{ label: 'Expired', value: number(data.expired), kind: data.expired ? 'bad' : '', icon: data.expired ? 'expired' : '', path: expires },
		{ label: '14 days or less', value: number(data.expiring), kind: data.expiring ? 'notice' : '', icon: data.expiring ? 'soon' : '', path: expires },
		{ label: 'Resources', value: number(data.resources), path: '/resources' },
		{ label: 'Enrollments', value: number(data.enrollments), path: '/enrollments' },
		{ label: 'Open changes', value: number(data.changes), path: '/changes' },
		ctx.session.seesAll ? { label: 'Edges live', value: [number(data.edges_live), h('span.of', `of ${number(edges)}`)], path: '/edges',
			kind: data.edges_live < edges ? 'notice' : '', icon: data.edges_live < edges ? 'notice_mark' : '' } : null,
	];
}

/* ---- what needs somebody ---- */

const SEVERITY = { critical: ['bad', 'bad', 'Urgent'], warning: ['notice', 'notice_mark', 'Soon'], info: ['info', 'info', 'To know'] };
const PATHS = {
	certificate: '/certificates/', change: '/changes/', enrollment: '/enrollments/', resource: '/resources/', edge: '/edges/', key: '/keys/',
};

function needs(ctx, data) {
	const list = data.needs;
	const actions = list.length ? badge(list.some(each => each.severity === 'critical') ? 'bad' : 'notice',
		`${number(list.length)}${data.more_needs ? '+' : ''}`, false) : null;
	return card({ title: 'Needs you now', actions, flush: true, foot: data.more_needs ? 'There is more; the most urgent stands first.' : null },
		list.length ? h('ul.needs', list.map(need => needOf(need, ctx.session.seesAll)))
			: emptyState({ icon: 'shield', title: 'Nothing needs you', text: 'Certificates are served and renewed as they should be. What changes that will stand here.' }));
}

function needOf(need, says_account) {
	const [kind, symbol, word] = SEVERITY[need.severity] || SEVERITY.info;
	const path = PATHS[need.kind] ? PATHS[need.kind] + encodeURIComponent(need.id) : need.kind === 'notice' ? '/notices' : '';
	return h('li', { class: kind }, icon(symbol, { label: word }),
		h('div', h('div.head', path ? h('a', { href: href(path) }, need.title) : h('span', need.title),
			h('span.meta', says_account && need.account ? h('span', need.account) : null, need.at_s ? when(need.at_s, 'relative') : null)),
		h('div.text', { title: need.detail }, need.detail)));
}

/* ---- what expires when ---- */

const SERIES = [{ key: 'personal', label: 'Personal' }, { key: 'shared', label: 'Shared' }, { key: 'acme', label: 'ACME, renewed by itself', colour: 6 }];

function timeline(ctx, data) {
	const total = data.timeline.reduce((n, day) => n + day.personal + day.acme + day.shared, 0);
	const chart = stackedBars({
		label: `${plural(total, 'certificate')} of the next ${DAYS} days, by the day on which they expire`,
		series: SERIES, rows: bars(data.timeline, 1), compact: bars(data.timeline, 7), zone: `${SOON_DAYS} days`,
		onPick: bar => ctx.navigate(`/certificates?expires_within_days=${bar.within}&order=expires`),
	});
	return card({ title: 'Certificates that expire in the next 90 days', text: total ? 'What you brought needs a successor before its day; ACME certificates renew by themselves.' : null },
		total ? chart : h('p.quiet', 'No certificate expires in the next 90 days.'));
}

/* One bar for so many days each, from today on. */
function bars(days, length) {
	const today_s = Math.floor(Date.now() / 1000 / DAY_S) * DAY_S;
	const list = Array.from({ length: Math.ceil(DAYS / length) }, (_, i) => ({
		from_s: today_s + i * length * DAY_S, within: (i + 1) * length, zone: i * length < SOON_DAYS, personal: 0, shared: 0, acme: 0,
	}));
	for (const day of days) {
		const bar = list[Math.max(0, Math.floor((day.day_s - today_s) / DAY_S / length))];
		SERIES.forEach(({ key }) => bar && (bar[key] += day[key]));
	}
	const every = length === 1 ? 14 : 3;
	return list.map((bar, i) => ({ ...bar, tick: i % every === 0 ? (i ? shortDate(bar.from_s) : 'Today') : '', name: nameOf(bar, length) }));
}

function shortDate(at_s) {
	return new Date(at_s * 1000).toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}

function nameOf(bar, length) {
	const said = SERIES.filter(({ key }) => bar[key]).map(({ key, label }) => `${number(bar[key])} ${label.split(',')[0]}`);
	const span = length === 1 ? date(bar.from_s) : `${shortDate(bar.from_s)} to ${date(bar.from_s + (length - 1) * DAY_S)}`;
	return said.length ? `${span}: ${said.join(', ')}` : span;
}
