// SPDX-License-Identifier: Apache-2.0
//
// What keyd signs for each edge, and how fast: one small drawing for each, all
// to the same scale, so that they can be compared. Asked again while one looks.

import { button } from '../../lib/button.js';
import { asTable, lines } from '../../lib/chart.js';
import { h, mount, uniqueId } from '../../lib/dom.js';
import { duration, microseconds, number, plural } from '../../lib/format.js';
import { card, emptyState, errorState, skeleton } from '../../lib/layout.js';
import { href } from '../../lib/router.js';
import { badge } from '../../lib/status.js';

const EVERY_MS = 10000;
const FIRST = 6;
const SERIES = [{ label: 'Signatures per second', short: 'Per second', colour: 1 }, { label: 'Time to sign, median', short: 'Median time', colour: 2 },
	{ label: '99 of 100 within', colour: 3 }];
const WINDOWS = [[900, '15 min'], [3600, '1 h']];

/** Of all edges. @param {Object} ctx the page's context */
export function signing(ctx) {
	return start(ctx, 'Signing, edge by edge', '');
}

/** Of one edge. @param {Object} ctx the page's context @param {string} name */
export function signingOf(ctx, name) {
	return start(ctx, 'Signing', `edge/${name}`);
}

function start(ctx, title, only) {
	const view = { ctx, only, window_s: 900, all: false, body: h('div', skeleton(5)), data: null };
	refresh(view);
	const timer = setInterval(() => document.hidden || view.body.matches(':hover, :focus-within') || refresh(view), EVERY_MS);
	ctx.signal.addEventListener('abort', () => clearInterval(timer));
	return card({ title, actions: windowSwitch(view) }, view.body);
}

function windowSwitch(view) {
	const name = uniqueId('window');
	return h('fieldset.segmented', h('legend.visually-hidden', 'How far back'), WINDOWS.map(([seconds, label]) => h('label',
		h('input', { type: 'radio', name, checked: seconds === view.window_s, on: { change: () => { view.window_s = seconds; refresh(view); } } }), label)));
}

async function refresh(view) {
	try {
		const data = await view.ctx.api.get('/overview:signing', { window_s: view.window_s });
		view.data = view.only ? { ...data, series: data.series.filter(each => each.identity === view.only) } : data;
		draw(view);
	} catch (error) {
		if (error.name !== 'AbortError' && !view.data)
			mount(view.body, errorState(error, () => refresh(view)));
	}
}

function draw(view) {
	const { series, step_s } = view.data;
	if (!series.length)
		return mount(view.body, emptyState({ icon: 'edge', title: 'Nothing was signed', text: `${view.only ? 'It' : 'No edge'} has asked for ${view.only ? 'no' : 'a'} signature in the last ${duration(view.window_s)}. Each TLS handshake that is no resumption makes one.` }));
	/* The newest point ends the drawing, unless nothing was asked for longer. */
	const newest_s = Math.max(0, ...series.flatMap(each => each.points.map(point => point.at_s)));
	const to_s = Math.max(newest_s + step_s, Math.floor(Date.now() / 1000 / step_s - 2) * step_s);
	const span = { from_s: to_s - view.window_s, to_s, step_s };
	const shown = view.all ? series : series.slice(0, FIRST);
	const most = each => Math.max(0, ...shown.flatMap(one => one.points.map(each)));
	const top = { rate: most(point => point.signatures / step_s), us: most(point => point.p99_us) };
	return mount(view.body, h('div.stack', h('div.multiples', { class: view.only ? 'single' : '' }, shown.map(each => edgeOf(each, span, top, view.only))),
		series.length > FIRST ? button(view.all ? `Only the ${FIRST} busiest` : `Show all ${series.length}`, { run: () => { view.all = !view.all; draw(view); } }) : null));
}

function edgeOf(series, span, top, only) {
	const [, edge] = /^edge\/(.+)$/.exec(series.identity) || [];
	const name = edge || series.identity || 'All others';
	const points = series.points.filter(point => point.at_s >= span.from_s);
	const sum = key => points.reduce((n, point) => n + point[key], 0);
	const signed = points.filter(point => point.signatures);
	const refusals = sum('refusals');
	const time = at_s => new Date(at_s * 1000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
	const common = { ...span, time, bare: true };
	const rate = value => number(Number(value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)));
	return h('section.multiple', { 'aria-label': name },
		h('div.head', only ? null : h('h3', edge ? h('a', { href: href(`/edges/${encodeURIComponent(edge)}`) }, edge) : name),
			refusals ? badge('notice', plural(refusals, 'refusal')) : null),
		h('div.reads', readOf(SERIES[0], rate(sum('signatures') / (span.to_s - span.from_s))),
			readOf(SERIES[1], signed.length ? microseconds(middle(signed.map(point => point.p50_us))) : '–'),
			readOf(SERIES[2], signed.length ? microseconds(middle(signed.map(point => point.p99_us))) : '–')),
		lines({ ...common, label: `Signatures per second for ${name}`, height: only ? 132 : 84, area: true, top: top.rate, format: rate,
			series: [{ ...SERIES[0], points: filled(points, span) }] }),
		lines({ ...common, label: `Time to sign for ${name}: median, and what 99 of 100 stay within`, height: only ? 132 : 92, top: top.us, format: microseconds, series: [
			{ ...SERIES[1], points: signed.map(point => ({ at_s: point.at_s, value: point.p50_us })) },
			{ ...SERIES[2], points: signed.map(point => ({ at_s: point.at_s, value: point.p99_us })) }] }),
		asTable(`Signing for ${name}`, ['', ...SERIES.map(each => each.label), 'Refusals'], points.map(point =>
			[time(point.at_s), rate(point.signatures / span.step_s), microseconds(point.p50_us), microseconds(point.p99_us), number(point.refusals)])));
}

/* What a colour is, and how much of it on the whole: the legend as well. */
function readOf({ label, short, colour }, value) {
	return h('div', h('span.label', h('span.swatch', { class: `series-${colour}` }), short || label), h('span.value', value));
}

function middle(values) {
	return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/* Steps in which nothing was asked are left out of the answer: there it is 0. */
function filled(points, { from_s, to_s, step_s }) {
	const at = new Map(points.map(point => [point.at_s, point.signatures]));
	const first = points.length ? points[0].at_s - Math.ceil((points[0].at_s - from_s) / step_s) * step_s : from_s;
	const list = [];
	for (let at_s = Math.max(first, from_s); at_s < to_s; at_s += step_s)
		list.push({ at_s, value: (at.get(at_s) || 0) / step_s });
	return list;
}
