// SPDX-License-Identifier: Apache-2.0
//
// What pages are put together from: head, cards, label and value, and the
// three states in which there is nothing to show yet.

import { h, icon, mount, uniqueId } from './dom.js';
import { href } from './router.js';

/**
 * A page: its head and what stands below. The h1 gets the focus when the page is come to.
 * @param {{title: *, lead?: *, crumbs?: [string, string][], badge?: Node, actions?: Node[]}} head crumbs: [label, path]
 * @param {...*} children @returns {HTMLElement}
 */
export function page(head, ...children) {
	return h('div.page',
		head.crumbs ? h('nav.crumbs', { 'aria-label': 'Breadcrumb' }, head.crumbs.map(([label, path]) => h('a', { href: href(path) }, label)),
			h('span', { 'aria-current': 'page' }, head.title)) : null,
		h('header.page-head',
			h('div.titles', h('h1', { tabindex: -1 }, head.title, head.badge), head.lead ? h('p.lead', head.lead) : null),
			head.actions ? h('div.actions', head.actions) : null),
		children);
}

/**
 * @param {{title?: string, text?: *, actions?: *, foot?: *, flush?: boolean}} options flush: the content has no margin (tables)
 * @param {...*} children
 */
export function card(options, ...children) {
	const id = uniqueId('card');
	return h('section.card', options.title ? { 'aria-labelledby': id } : {},
		options.title ? h('div.card-head', h('h2', { id }, options.title), options.actions ? h('div.actions', options.actions) : null,
			options.text ? h('p', options.text) : null) : null,
		h('div.card-body', { class: options.flush ? 'flush' : '' }, children),
		options.foot ? h('div.card-foot', options.foot) : null);
}

/** Label and value. @param {([string, *]|null)[]} rows those without a value are left out */
export function details(rows) {
	return h('dl.details', rows.filter(row => row && row[1] !== null && row[1] !== undefined && row[1] !== '')
		.map(([label, value]) => h('div', h('dt', label), h('dd', value))));
}

/**
 * Numbers that matter, beside each other.
 * @param {{label: string, value: *, under?: *, kind?: string, icon?: string, path?: string}[]} list
 */
export function figures(list) {
	return h('div.figures', list.filter(Boolean).map(each => h(each.path ? 'a.figure' : 'div.figure',
		{ href: each.path ? href(each.path) : null, class: each.kind },
		h('span.label', each.label), h('span.value', each.icon ? icon(each.icon) : null, each.value),
		each.under ? h('span.under', each.under) : null)));
}

/**
 * Nothing there: what it is for, and the next step.
 * @param {{icon: string, title: string, text: *, actions?: Node[]}} options
 */
export function emptyState(options) {
	return h('div.empty', icon(options.icon), h('h2', options.title), h('p', options.text),
		options.actions ? h('div.actions', options.actions) : null);
}

/** Still loading. @param {number} [lines] */
export function skeleton(lines = 6) {
	return h('div.skeleton', { role: 'status', 'aria-label': 'Loading' }, Array.from({ length: lines }, () => h('span')));
}

/** What a failure says, beside what failed. @param {Error} problem */
export function problemNote(problem) {
	return h('div.note.bad', { role: 'alert' }, icon('bad'),
		h('div.said', h('strong', problem.title || 'That did not work'), h('div', problem.detail || problem.message)));
}

/** Failed to load: what happened, and a button to try again. @param {Error} problem @param {function(): *} retry */
export function errorState(problem, retry) {
	const known = problem.name === 'Problem';
	return h('div.empty', { role: 'alert' }, icon('bad'), h('h2', known ? problem.title : 'This page could not be shown'),
		h('p', known ? problem.detail : `The console made a mistake: ${problem.message}. Try again; if it stays, tell your operator which page it was.`),
		known && problem.instance ? h('p.small', 'In certd\'s log as ', h('code', problem.instance)) : null,
		h('div.actions', h('button.button', { type: 'button', on: { click: retry } }, icon('retry'), 'Try again')));
}

/* What has the focus inside node, in a way that finds it in a new drawing. */
function focusOf(node) {
	const active = document.activeElement;
	if (!node.contains(active) || active === node)
		return () => {};
	const tag = active.tagName;
	const sign = each => each.id || each.getAttribute('href') || each.name || each.getAttribute('aria-label') || each.textContent;
	const wanted = sign(active);
	return () => [...node.querySelectorAll(tag)].find(each => sign(each) === wanted)?.focus({ preventScroll: true });
}

/**
 * A part of a page that loads by itself, and again when one of its topics changes. Drawn anew only when the data did; a
 * form does not belong inside, it would lose what was typed.
 * @param {Object} ctx the page's context
 * @param {{load: function(): Promise<*>, draw: function(*): *, topics?: string|string[], lines?: number}} options
 * @returns {{node: HTMLElement, refresh: function(): Promise<void>}}
 */
export function loaded(ctx, options) {
	const node = h('div.loaded', skeleton(options.lines));
	let shown = '';
	let asked = 0;
	const refresh = async () => {
		const mine = ++asked;
		try {
			const data = await options.load();
			const text = JSON.stringify(data);
			if (text === shown || mine !== asked || ctx.signal.aborted)
				return;
			const focus = focusOf(node);
			mount(node, options.draw(data));
			focus();
			shown = text;
		} catch (error) {
			/* What is shown already is better than an error in its place. */
			if (error.name !== 'AbortError' && !shown)
				mount(node, errorState(error, refresh));
		}
	};
	if (options.topics)
		ctx.live(options.topics, refresh);
	refresh();
	return { node, refresh };
}

/**
 * Parts of an object, one shown at a time; kept in the address as ?tab=NAME.
 * @param {Object} ctx @param {{name: string, label: *, draw: function(): *}[]} list
 */
export function tabs(ctx, list) {
	const panel = h('div', { role: 'tabpanel', id: uniqueId('panel'), tabindex: 0 });
	const heads = list.map(each => h('button', { type: 'button', role: 'tab', id: uniqueId('tab'), 'aria-controls': panel.id,
		on: { click: () => choose(each.name), keydown: event => onTabKey(event, heads) } }, each.label));
	const choose = name => {
		const at = Math.max(0, list.findIndex(each => each.name === name));
		heads.forEach((head, i) => {
			head.setAttribute('aria-selected', String(i === at));
			head.tabIndex = i === at ? 0 : -1;
		});
		panel.setAttribute('aria-labelledby', heads[at].id);
		mount(panel, list[at].draw());
		ctx.setQuery({ tab: at ? list[at].name : '' });
		bringIntoView(strip, heads[at]);
	};
	const strip = h('div.tabs', { role: 'tablist' }, heads);
	choose(ctx.query.tab);
	new ResizeObserver(() => bringIntoView(strip, heads.find(each => each.tabIndex === 0))).observe(strip);
	return h('div', strip, panel);
}

/* On a phone not all heads have room; the page itself stays where it is. */
function bringIntoView(strip, head) {
	const [inner, outer] = [head.getBoundingClientRect(), strip.getBoundingClientRect()];
	if (inner.left < outer.left || inner.right > outer.right)
		strip.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
}

function onTabKey(event, heads) {
	const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
	if (!by)
		return;
	const next = heads.at((heads.indexOf(event.currentTarget) + by) % heads.length);
	next.focus();
	next.click();
}
