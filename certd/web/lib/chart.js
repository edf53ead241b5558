// SPDX-License-Identifier: Apache-2.0
//
// Charts as SVG. Colours come from the style sheets. Each chart is an image
// with a name for screen readers, and has its numbers as a table beside it.

import { h, svg } from './dom.js';
import { number } from './format.js';

const COMPACT = 560;
const TOP = 22;
/* The axis of counts goes at least so high, so that one of a thing does not look like many. */
const BARS_TOP = 4;

/* A drawing as wide as its box: drawn again when that changes. */
function responsive(draw, min_width = 240) {
	const box = h('div.chart-box');
	let width = 0;
	const observer = new ResizeObserver(([entry]) => {
		const next = Math.max(min_width, Math.floor(entry.contentRect.width));
		if (next !== width) {
			width = next;
			box.replaceChildren(draw(width));
		}
	});
	observer.observe(box);
	return box;
}

/**
 * Round values for an axis from 0, the last one not below top.
 * @param {number} top @param {{wanted?: number, whole?: boolean}} [options] wanted: about so many steps; whole: no parts of one
 * @returns {number[]}
 */
export function ticks(top, { wanted = 3, whole = false } = {}) {
	if (top <= 0)
		return [0, 1];
	const rough = top / wanted;
	const scale = 10 ** Math.floor(Math.log10(rough));
	const fine = [1, 2, 2.5, 5, 10].find(each => each * scale >= rough) * scale;
	const step = whole ? Math.ceil(fine) : fine;
	return Array.from({ length: Math.ceil(top / step) + 1 }, (_, i) => i * step);
}

const colour = (series, i) => `series-${series[i].colour || i + 1}`;

/** Which colour is what. @param {{label: string, colour?: number}[]} series as the charts have them; colour: 1 to 6 */
export function legend(series) {
	return h('ul.legend', series.map((each, i) => h('li', h('span.swatch', { class: colour(series, i) }), each.label)));
}

/** The numbers, for whoever cannot or will not read a drawing. @param {string} caption @param {string[]} heads @param {*[][]} rows */
export function asTable(caption, heads, rows) {
	return h('details.chart-table', h('summary', 'Show as a table'),
		h('div.scroll', { tabindex: 0, role: 'region', 'aria-label': caption }, h('table', h('caption.visually-hidden', caption),
			h('thead', h('tr', heads.map((head, i) => i ? h('th', { scope: 'col' }, head) : h('td')))),
			h('tbody', rows.map(([first, ...cells]) => h('tr', h('th', { scope: 'row' }, first), cells.map(cell => h('td', cell))))))));
}

function frame(options, drawing, heads, rows) {
	if (options.bare)
		return h('figure.chart', drawing);
	return h('figure.chart', options.series.length > 1 ? legend(options.series) : null, drawing, asTable(options.label, heads, rows));
}

function axisY(values, y, left, right, format) {
	return values.map(value => svg('g.axis', svg('line', { x1: left, x2: right, y1: y(value), y2: y(value) }),
		svg('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, format(value))));
}

/**
 * Bars in a row, stacked: so many of each kind on each day.
 * @typedef {{name: string, tick?: string, zone?: boolean}} Bar and a number for each key of a series. name: it in words; tick:
 *   the word below it; zone: the ground is marked
 * @param {{label: string, series: {key: string, label: string}[], rows: Bar[], compact?: Bar[], zone?: string, height?: number,
 *   onPick?: function(Bar): void}} options label: what it shows; compact: in place of rows where there is little room; zone: what
 *   the marked ground means
 */
export function stackedBars(options) {
	const sum = row => options.series.reduce((n, each) => n + (row[each.key] || 0), 0);
	const heads = ['', ...options.series.map(each => each.label)];
	const rows = options.rows.filter(sum).map(row => [row.name, ...options.series.map(each => number(row[each.key] || 0))]);
	return frame(options, responsive(width => drawBars(options, width, sum)), heads, rows);
}

function zoneOf(options, rows, left, slot, bottom) {
	const n = rows.filter(row => row.zone).length;
	return n ? svg('g.zone', svg('rect', { x: left, y: TOP, width: slot * n, height: bottom - TOP }),
		svg('text', { x: left + 2, y: TOP - 8 }, options.zone)) : null;
}

function drawBars(options, width, sum) {
	const { height = 184 } = options;
	const rows = width < COMPACT && options.compact || options.rows;
	const levels = ticks(Math.max(BARS_TOP, ...rows.map(sum)), { whole: true });
	const left = 28;
	const bottom = height - 24;
	const top = levels.at(-1);
	const y = value => bottom - (bottom - TOP) * value / top;
	const slot = (width - left) / rows.length;
	const bar = Math.max(2, Math.min(22, slot * 0.72));
	return svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': options.label },
		zoneOf(options, rows, left, slot, bottom),
		axisY(levels, y, left, width, number),
		rows.map((row, i) => {
			const x = left + slot * (i + 0.5);
			return svg('g', row.tick ? svg('text.tick', i ? { x: Math.min(x, width - 18), y: height - 6, 'text-anchor': 'middle' } : { x: left, y: height - 6 }, row.tick) : null,
				sum(row) ? barOf(options, row, { x, slot, bar, y, top: TOP, bottom }) : null);
		}));
}

function barOf(options, row, at) {
	let base = 0;
	const parts = options.series.map((each, i) => {
		const n = row[each.key] || 0;
		if (!n)
			return null;
		const high = at.y(base);
		base += n;
		return svg('rect', { class: colour(options.series, i), x: at.x - at.bar / 2, y: at.y(base), width: at.bar, height: Math.max(1, high - at.y(base) - 1), rx: 1.5 });
	});
	return svg('g.bar', { class: options.onPick ? 'pick' : '' }, svg('title', row.name), parts,
		svg('rect.hit', { x: at.x - at.slot / 2, y: at.top, width: at.slot, height: at.bottom - at.top,
			...(options.onPick ? { on: { click: () => options.onPick(row) } } : {}) }));
}

/**
 * Lines over time, with an own reading under the pointer.
 * @param {{label: string, series: {label: string, points: {at_s: number, value: number}[]}[], from_s: number, to_s: number,
 *   format: function(number): string, time: function(number): string, step_s?: number, height?: number, area?: boolean, top?: number, bare?: boolean}} options
 *   step_s: points further apart are not joined; top: the axis goes at least so high; bare: legend and table are elsewhere
 */
export function lines(options) {
	const high = Math.max(options.top || 0, ...options.series.flatMap(each => each.points.map(point => point.value)));
	const levels = ticks(high);
	const heads = ['', ...options.series.map(each => each.label)];
	return frame(options, responsive(width => drawLines(options, width, levels)), heads, rowsOf(options));
}

function rowsOf(options) {
	const at = new Map();
	options.series.forEach((each, i) => each.points.forEach(point => {
		if (!at.has(point.at_s))
			at.set(point.at_s, options.series.map(() => '–'));
		at.get(point.at_s)[i] = options.format(point.value);
	}));
	return [...at].sort((a, b) => a[0] - b[0]).map(([at_s, values]) => [options.time(at_s), ...values]);
}

/* So many times from the first to the last one. */
function axisX({ from_s, to_s, time }, x, many) {
	return Array.from({ length: many }, (_, i) => {
		const at_s = from_s + (to_s - from_s) * i / (many - 1);
		return { at: x(at_s), anchor: i === 0 ? 'start' : i === many - 1 ? 'end' : 'middle', text: time(at_s) };
	});
}

function drawLines(options, width, levels) {
	const { height = 112, from_s, to_s } = options;
	const left = 52;
	const bottom = height - 20;
	const x = at_s => left + (width - left - 4) * (at_s - from_s) / (to_s - from_s);
	const y = value => bottom - (bottom - 8) * value / levels.at(-1);
	const reading = svg('g.reading');
	return svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': options.label,
		on: { pointermove: event => read(event, options, reading, { x, y, left, width, bottom }), pointerleave: () => reading.replaceChildren() } },
	axisY(levels, y, left, width, options.format),
	axisX(options, x, width < COMPACT ? 2 : 6).map(({ at, anchor, text }) => svg('text.tick', { x: at, y: height - 4, 'text-anchor': anchor }, text)),
	options.series.map((each, i) => [
		options.area ? svg('path', { class: `area ${colour(options.series, i)}`, d: areaOf(each.points, x, y, bottom, options.step_s) }) : null,
		svg('path', { class: `line ${colour(options.series, i)}`, d: lineOf(each.points, x, y, options.step_s) }),
		alone(each.points, options.step_s).map(point => svg('circle', { class: colour(options.series, i), cx: x(point.at_s), cy: y(point.value), r: 2 }))]),
	reading);
}

/* Runs of points that follow each other. */
function runs(points, step_s) {
	const list = [];
	points.forEach((point, i) => {
		if (i && (!step_s || point.at_s - points[i - 1].at_s <= step_s * 1.5))
			list.at(-1).push(point);
		else
			list.push([point]);
	});
	return list;
}

/* A point that nothing is joined to would be no line. */
function alone(points, step_s) {
	return runs(points, step_s).filter(run => run.length === 1).flat();
}

const place = (point, x, y) => `${x(point.at_s).toFixed(1)} ${y(point.value).toFixed(1)}`;

function lineOf(points, x, y, step_s) {
	return runs(points, step_s).map(run => `M${run.map(point => place(point, x, y)).join('L')}`).join('');
}

function areaOf(points, x, y, bottom, step_s) {
	return runs(points, step_s).map(run => `M${x(run[0].at_s).toFixed(1)} ${bottom}L${run.map(point => place(point, x, y)).join('L')}V${bottom}Z`).join('');
}

function nearest(points, at_s) {
	return points.reduce((best, point) => !best || Math.abs(point.at_s - at_s) < Math.abs(best.at_s - at_s) ? point : best, null);
}

function read(event, options, reading, at) {
	const box = event.currentTarget.getBoundingClientRect();
	const part = (event.clientX - box.left - at.left) / (at.width - at.left);
	const near = options.series.map(each => nearest(each.points, options.from_s + part * (options.to_s - options.from_s)));
	const first = near.find(Boolean);
	if (part < 0 || !first)
		return reading.replaceChildren();
	const px = at.x(first.at_s);
	const text = `${options.time(first.at_s)}  ${near.map(point => point ? options.format(point.value) : '–').join(' · ')}`;
	return reading.replaceChildren(
		svg('line', { x1: px, x2: px, y1: 8, y2: at.bottom }),
		...near.map((point, i) => point && svg('circle', { class: colour(options.series, i), cx: at.x(point.at_s), cy: at.y(point.value), r: 3 })).filter(Boolean),
		svg('text', { x: Math.min(Math.max(px, at.left + 70), at.width - 70), y: 8, 'text-anchor': 'middle' }, text));
}
