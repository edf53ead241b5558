// SPDX-License-Identifier: Apache-2.0
//
// Tables. listView() is a whole list: search, filters, order, pages, and what
// stands there while it loads, when it is empty and when it fails. Its state is
// in the address, so that it can be sent to others and survives going back.

import { button } from './button.js';
import { debounce, h, icon, mount, uniqueId } from './dom.js';
import { number } from './format.js';
import { emptyState, errorState, skeleton } from './layout.js';
import { href } from './router.js';
import { toast } from './toast.js';

const PAGE_SIZE = 50;
const TYPING_MS = 250;

/**
 * @typedef {Object} Column
 * @property {string} label @property {function(Object): *} cell what stands there
 * @property {string} [sort] the API's word for order_by; with local: any word
 * @property {function(Object): (string|number)} [value] to sort by, with local
 * @property {boolean} [desc] the first click sorts downwards
 * @property {string} [class] 'main' (the name; a text becomes the row's link), 'main sentence' (it needs
 *   more room), 'wide' (may say more than a word), 'num', 'fit' (as narrow as can be), 'acts' (buttons at the end)
 */

/**
 * A plain table.
 * @param {{caption: string, columns: Column[], rows: Object[], path?: function(Object): string, order?: string,
 *   onSort?: function(string): void}} options caption: for screen readers; path: where a row leads
 */
export function table(options) {
	const box = h('div.table-box', h('table.table', { role: 'table' },
		h('caption.visually-hidden', options.caption),
		h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, options.columns.map(column => headOf(column, options)))),
		h('tbody', { role: 'rowgroup' }, options.rows.map(row => rowOf(row, options)))));
	/* It scrolls where it is too wide: by the keyboard, too, when nothing inside can be focused. */
	if (!box.querySelector('a[href], button, input, select'))
		Object.entries({ tabindex: '0', role: 'group', 'aria-label': options.caption }).forEach(each => box.setAttribute(...each));
	return box;
}

function headOf(column, options) {
	const props = { role: 'columnheader', scope: 'col', class: column.class };
	if (!column.sort || !options.onSort)
		return h('th', props, column.label || h('span.visually-hidden', 'Acts'));
	const order = options.order || '';
	const is_on = order.replace('-', '') === column.sort;
	const is_down = is_on && order.startsWith('-');
	const first = column.desc ? `-${column.sort}` : column.sort;
	const other = is_down ? column.sort : `-${column.sort}`;
	props['aria-sort'] = is_on ? (is_down ? 'descending' : 'ascending') : 'none';
	return h('th', props, h('button', { type: 'button', on: { click: () => options.onSort(is_on ? other : first) } },
		column.label, icon(is_on ? (is_down ? 'down' : 'up') : (column.desc ? 'down' : 'up'))));
}

function rowOf(row, options) {
	const path = options.path?.(row);
	const main = options.columns.findIndex(each => (each.class || '').includes('main'));
	const node = h('tr', { role: 'row', class: path ? 'linked' : '' }, options.columns.map((column, i) => {
		const content = column.cell(row);
		const is_link = path && i === main && typeof content === 'string';
		return h('td', { role: 'cell', class: column.class, data: { label: column.label } },
			h('div.cell', is_link ? h('a', { href: href(path) }, content) : content));
	}));
	if (path)
		node.addEventListener('click', event => follow(event, node));
	return node;
}

/* A click anywhere in a row is one on its link; not while text is selected. */
function follow(event, node) {
	if (event.target.closest('a, button, input, label, select, .menu-box') || !getSelection().isCollapsed)
		return;
	const link = node.querySelector('td a[href]');
	link?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey: event.ctrlKey, metaKey: event.metaKey }));
}

/**
 * @typedef {Object} Filter
 * @property {string} name in the query of the address and of the API @property {string} label
 * @property {[string, string][]} [options] value and label, the first one for all; none: a check box
 * @property {'text'|'datetime-local'} [type] a field to type in; a text's label stands in it, a time's before it
 */

/**
 * @typedef {Object} ListOptions
 * @property {string} caption 'Certificates' @property {string} one 'certificate' @property {string} [many]
 * @property {Column[]} columns @property {function(Object): string} [path] where a row leads
 * @property {function(Object): Promise<{items: Object[], next: string}>} load asked with search, order_by, page_size,
 *   page_token and the filters: ctx.api.list('/certificates', 'certificates', query) answers as wanted
 * @property {boolean} [local] load() answers all at once, and search and order are done here
 * @property {function(Object): string} [text] with local: what the search looks into
 * @property {string} [search] what can be searched for; none: no search @property {Filter[]} [filters]
 * @property {string} [order] order_by at first
 * @property {{icon: string, title: string, text: *, actions?: Node[]}} empty as emptyState()
 * @property {number} [rounds] of asking for one page, where certd's pages may be short or empty; then the person goes on
 * @property {string|string[]} [topics] loads again when one changes @property {Node[]} [tools] at the end of the bar
 */

/** @param {Object} ctx the page's context @param {ListOptions} options @returns {{node: HTMLElement, refresh: Function}} */
export function listView(ctx, options) {
	const filters = options.filters || [];
	const view = {
		ctx, options, filters, pages: [''], items: [], next: '', asked: 0, shown: '',
		order: ctx.query.order || options.order || '', search: ctx.query.search || '',
		values: Object.fromEntries(filters.map(each => [each.name, ctx.query[each.name] || ''])),
		body: h('div.list-body', skeleton(8)), foot: h('div'),
	};
	const bar = options.search || filters.length || options.tools ? barOf(view) : null;
	view.node = h('section.card.list', { 'aria-label': options.caption }, bar, view.body, view.foot);
	const refresh = () => load(view, true);
	if (options.topics)
		ctx.live(options.topics, refresh);
	load(view);
	return { node: view.node, refresh };
}

function barOf(view) {
	const { options } = view;
	return h('div.list-bar', { role: 'search' }, options.search ? searchOf(view) : null, view.filters.map(each => filterOf(view, each)),
		options.tools ? h('div.actions.grow', options.tools) : null);
}

function searchOf(view) {
	const id = uniqueId('search');
	const changed = debounce(value => change(view, () => { view.search = value; }), TYPING_MS);
	return h('div.search', h('label.visually-hidden', { for: id }, `Search by ${view.options.search}`), icon('search'),
		h('input.input', { id, type: 'search', value: view.search, placeholder: view.options.search, autocomplete: 'off', spellcheck: false,
			on: { input: event => changed(event.target.value.trim()) } }));
}

function filterOf(view, filter) {
	const id = uniqueId('filter');
	const set = value => change(view, () => { view.values[filter.name] = value; });
	if (filter.type)
		return typedFilter(view, filter, id, set);
	if (!filter.options)
		return h('div.check', h('input', { id, type: 'checkbox', checked: view.values[filter.name] !== '',
			on: { change: event => set(event.target.checked ? 'true' : '') } }), h('label', { for: id }, filter.label));
	const select = h('select.input', { id, 'aria-label': filter.label, on: { change: event => set(event.target.value) } },
		filter.options.map(([value, label]) => h('option', { value }, label)));
	select.value = view.values[filter.name];
	return select;
}

function typedFilter(view, filter, id, set) {
	const is_text = filter.type === 'text';
	const changed = debounce(event => set(event.target.value.trim()), TYPING_MS);
	return h('div.typed', { class: filter.type }, h('label', { for: id, class: is_text ? 'visually-hidden' : '' }, filter.label),
		h('input.input', { id, type: filter.type, value: view.values[filter.name], placeholder: is_text ? filter.label : null, autocomplete: 'off', spellcheck: false,
			on: { [is_text ? 'input' : 'change']: changed } }));
}

function change(view, run) {
	run();
	view.pages = [''];
	view.ctx.setQuery({ search: view.search, order: view.order === view.options.order ? '' : view.order, ...view.values });
	load(view);
}

function isNarrowed(view) {
	return view.search !== '' || Object.values(view.values).some(Boolean);
}

async function load(view, quietly = false) {
	const asked = ++view.asked;
	view.node?.setAttribute('aria-busy', String(!quietly));
	try {
		const { items, next } = await ask(view);
		if (asked !== view.asked)
			return;
		view.items = items;
		view.next = next;
		draw(view, quietly);
	} catch (error) {
		if (error.name !== 'AbortError' && asked === view.asked && !(quietly && view.shown))
			mount(view.body, errorState(error, () => load(view)));
	} finally {
		if (asked === view.asked)
			view.node?.setAttribute('aria-busy', 'false');
	}
}

/* What a page costs certd is bounded, so it may be short before the list ends. */
async function ask(view) {
	const { options } = view;
	const query = { ...view.values };
	if (options.local)
		return localPart(view, await options.load(query));
	const items = [];
	let token = view.pages.at(-1);
	let left = options.rounds || Infinity;
	do {
		const page = await options.load({ ...query, search: view.search, order_by: view.order, page_size: PAGE_SIZE - items.length, page_token: token });
		items.push(...page.items);
		token = page.next;
	} while (token && items.length < PAGE_SIZE / 2 && --left > 0);
	return { items, next: token };
}

function localPart(view, { items }) {
	const { options } = view;
	const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
	const found = items.filter(item => words.every(each => options.text(item).toLowerCase().includes(each)));
	const column = options.columns.find(each => each.sort && each.sort === view.order.replace('-', ''));
	if (column?.value) {
		const sign = view.order.startsWith('-') ? -1 : 1;
		found.sort((a, b) => sign * compare(column.value(a), column.value(b)));
	}
	return { items: found, next: '' };
}

function compare(a, b) {
	return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}

function draw(view, quietly) {
	const { options, items } = view;
	const text = JSON.stringify([items, view.next, view.order]);
	if (quietly && text === view.shown)
		return;
	view.shown = text;
	mount(view.body, contentOf(view));
	mount(view.foot, footOf(view));
	if (!quietly)
		toast.say(said(view));
}

function contentOf(view) {
	const { options, items } = view;
	if (!items.length && view.next)
		return emptyState({ icon: 'search', title: 'Nothing found so far', text: 'A part was looked through; there is more.',
			actions: [button('Look further', { kind: 'primary', run: () => turn(view, () => view.pages.push(view.next)) })] });
	if (items.length || view.pages.length > 1)
		return table({ ...options, rows: items, order: view.order, onSort: order => change(view, () => { view.order = order; }) });
	return isNarrowed(view) ? nothingFound(view) : emptyState(options.empty);
}

function nothingFound(view) {
	const clear = () => view.ctx.navigate(view.ctx.path, { replace: true });
	return emptyState({ icon: 'search', title: 'Nothing found', text: `No ${view.options.one} is as asked. Look for less, or take the filters away.`,
		actions: [button('Show all', { run: clear })] });
}

function said(view) {
	const n = view.items.length;
	return `${number(n)}${view.next ? ' and more' : ''} ${n === 1 ? view.options.one : view.options.many || `${view.options.one}s`}`;
}

async function turn(view, run) {
	run();
	await load(view);
	view.node.scrollIntoView({ block: 'start' });
}

function footOf(view) {
	if (!view.items.length && view.pages.length === 1)
		return null;
	const first = (view.pages.length - 1) * PAGE_SIZE;
	const is_paged = view.next || first > 0;
	return h('div.list-foot', h('span', is_paged ? `Page ${view.pages.length}: ${said(view)}` : said(view)), is_paged ? h('span.row',
		button('Back', { small: true, icon: 'left', disabled: first === 0, run: () => turn(view, () => view.pages.pop()) }),
		button('Next', { small: true, icon: 'right', disabled: !view.next, run: () => turn(view, () => view.pages.push(view.next)) })) : null);
}
