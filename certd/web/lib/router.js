// SPDX-License-Identifier: Apache-2.0
//
// Which page stands at which address. Links are real <a href="/console/...">,
// so that they open in new tabs and can be sent to others; a plain click on
// one is taken here. Paths in code are written without /console.

import { apiFor } from './api.js';
import { subscribe } from './live.js';
import { session } from './session.js';

const BASE = '/console';

/** @typedef {Object} Context what a page gets
 * @property {Object<string,string>} params of the path: {id: '17'}
 * @property {Object<string,string>} query of the address
 * @property {string} path without /console
 * @property {typeof session} session
 * @property {ReturnType<typeof apiFor>} api ends with the page
 * @property {function((string|string[]), Function): void} live (topics, run): ends with the page
 * @property {function(string, {replace?: boolean}=): Promise<void>} navigate to a path
 * @property {function(Object, {push?: boolean}=): void} setQuery keeps the page; '' takes a part away
 * @property {function(string): void} setTitle of the window, when it is only known now
 * @property {function(): Promise<void>} reload draws this page anew
 * @property {AbortSignal} signal aborted when the page leaves
 */

const state = { routes: [], draw: null, leave: null, controller: null, guard: null, address: '' };

/** The address of a path: href('/certificates/17'). @param {string} path @returns {string} */
export function href(path) {
	return path === '/' ? `${BASE}/` : BASE + path;
}

function currentPath() {
	const path = location.pathname.slice(BASE.length).replace(/\/+$/, '');
	return path || '/';
}

function match(pattern, path) {
	const wanted = pattern.split('/');
	const given = path.split('/');
	if (wanted.length !== given.length)
		return null;
	const params = {};
	for (const [i, part] of wanted.entries()) {
		if (part.startsWith(':'))
			params[part.slice(1)] = decode(given[i]);
		else if (part !== given[i])
			return null;
	}
	return params;
}

function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

/** @param {string} path @returns {?{route: Object, params: Object}} */
export function find(path) {
	for (const route of state.routes) {
		const params = match(route.path, path);
		if (params)
			return { route, params };
	}
	return null;
}

function contextOf(path, params, signal) {
	return {
		params, path, session, signal,
		query: Object.fromEntries(new URLSearchParams(location.search)),
		api: apiFor(signal),
		live: (topics, run) => subscribe(topics, run, signal),
		navigate,
		setQuery,
		reload: show,
		setTitle: title => { document.title = `${title} · Holdfast`; },
	};
}

function setQuery(changes, options = {}) {
	const params = new URLSearchParams(location.search);
	for (const [name, value] of Object.entries(changes)) {
		if (value === '' || value === null || value === undefined || value === false)
			params.delete(name);
		else
			params.set(name, String(value));
	}
	const text = params.toString();
	const url = location.pathname + (text ? `?${text}` : '');
	history[options.push ? 'pushState' : 'replaceState'](history.state, '', url);
	state.address = url;
}

async function show() {
	state.controller?.abort();
	state.controller = new AbortController();
	state.guard = null;
	state.address = location.pathname + location.search;
	const path = currentPath();
	const found = find(path);
	const ctx = contextOf(path, found?.params || {}, state.controller.signal);
	await state.draw(found?.route || null, ctx);
}

async function mayLeave() {
	return !state.guard || await state.guard();
}

/**
 * Goes to a path. Asks first when something unsaved would be lost.
 * @param {string} path '/certificates/17' or '/history?account=acme' @param {{replace?: boolean}} [options]
 */
export async function navigate(path, options = {}) {
	if (!await mayLeave())
		return;
	history[options.replace ? 'replaceState' : 'pushState'](null, '', href(path));
	window.scrollTo(0, 0);
	await show();
}

/**
 * Asked before the page is left; form.js uses it. @param {?function(): (boolean|Promise<boolean>)} ask true: may leave
 */
export function setGuard(ask) {
	state.guard = ask;
}

/** Whether something unsaved would be lost. */
export function isGuarded() {
	return state.guard !== null;
}

function onClick(event) {
	const link = event.target.closest?.('a[href]');
	if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
		return;
	const url = new URL(link.href);
	if (url.origin !== location.origin || link.target || link.hasAttribute('download') || !inside(url.pathname))
		return;
	if (url.hash && url.pathname === location.pathname && url.search === location.search)
		return;
	event.preventDefault();
	navigate(url.pathname.slice(BASE.length).replace(/^$/, '/') + url.search);
}

function inside(path) {
	return (path === BASE || path.startsWith(`${BASE}/`)) && !path.startsWith(`${BASE}/assets/`);
}

/* Back and forward have happened already: to stay means to go there again. */
async function onPopState() {
	if (location.pathname + location.search === state.address)
		return;
	if (await mayLeave())
		await show();
	else
		history.pushState(null, '', state.address);
}

/**
 * @param {Object[]} routes see routes.js
 * @param {function(?Object, Context): Promise<void>} draw shows a route; null: there is none
 */
export function startRouter(routes, draw) {
	state.routes = routes;
	state.draw = draw;
	document.addEventListener('click', onClick);
	window.addEventListener('popstate', onPopState);
	return show();
}

/** The same page again, from the beginning. */
export function reload() {
	return show();
}
