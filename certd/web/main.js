// SPDX-License-Identifier: Apache-2.0
//
// Start: who is logged in, then the page at this address. Draws a page, its
// skeleton while it is made, and in its place what went wrong.

import { isOutdated, onUnauthenticated, unreached } from './lib/api.js';
import { button, linkButton } from './lib/button.js';
import { h, mount } from './lib/dom.js';
import { card, emptyState, errorState, page, skeleton } from './lib/layout.js';
import { startLive, stopLive } from './lib/live.js';
import { isGuarded, navigate, reload, startRouter } from './lib/router.js';
import { forget, session } from './lib/session.js';
import { forgetReminder, shell, toLogin, wrongPage } from './lib/shell.js';
import { startToasts, toast } from './lib/toast.js';
import { GROUPS, ROUTES } from './routes.js';

const SKELETON_AFTER_MS = 120;

const root = h('div.root');
let frame = null;
let is_first = true;

function outside() {
	frame?.leave();
	frame = null;
	stopLive();
	return mount(root, h('main.outside', { id: 'main', tabindex: -1 })).firstElementChild;
}

function inside(path) {
	if (!frame) {
		frame = shell({ routes: ROUTES, groups: GROUPS, logOut });
		mount(root, h('a.skip', { href: '#main' }, 'Skip to the page'), frame.node);
		startLive(session.data?.live_position);
	}
	frame.at(path);
	return frame.main;
}

async function logOut() {
	await session.leave();
	forgetReminder();
	await navigate('/login');
}

async function content(route, ctx) {
	if (!route)
		return wrongPage('missing');
	if (route.who !== 'nobody' && !session.may(route.who))
		return wrongPage('forbidden');
	const module = await load(route.module);
	return module ? module.render(ctx) : updated();
}

/* Null: there is a newer console, and this one's files are gone. */
async function load(name) {
	try {
		return await import(`./pages/${name}.js`);
	} catch (error) {
		if (await isOutdated())
			return null;
		/* Browsers say it in words of their own: "Failed to fetch dynamically imported module". */
		throw error instanceof TypeError && /import.*module/i.test(error.message) ? unreached() : error;
	}
}

function updated() {
	return page({ title: 'The console was updated' }, card({}, emptyState({
		icon: 'retry', title: 'Reload to go on', text: 'certd was updated while this page was open. What you saved is there; the page that you wanted comes next.',
		actions: [button('Reload', { kind: 'primary', icon: 'retry', run: () => location.reload() })],
	})));
}

/* In the place of a page: what went wrong, and the way on. */
function failed(error, route, path) {
	if (error.name !== 'Problem')
		console.error(error);
	const list = ROUTES.find(each => each.icon && each.path !== '/' && path.startsWith(`${each.path}/`));
	const crumbs = list ? [[list.title, list.path]] : null;
	if (error.status !== 404 || !list)
		return page({ title: route.title, crumbs }, card({}, errorState(error, reload)));
	return page({ title: route.title, crumbs }, card({}, emptyState({
		icon: 'search', title: error.title, text: `${error.detail} It may have been deleted, or the address is mistyped.`,
		actions: [linkButton(`Go to ${list.title.toLowerCase()}`, list.path, { kind: 'primary' })],
	})));
}

/* What stands there until the page does; its head at once where it is known. */
function waiting(route) {
	return route?.who === 'nobody' || !route?.icon ? skeleton() : page({ title: route.heading || route.title }, card({}, skeleton(8)));
}

async function draw(route, ctx) {
	const is_outside = route?.who === 'nobody';
	if (!session.data && !is_outside) {
		await toLogin();
		return;
	}
	/* Until that is set, certd answers nothing else. */
	if (session.data?.must_set && !is_outside) {
		await navigate('/welcome', { replace: true });
		return;
	}
	const main = is_outside ? outside() : inside(ctx.path);
	document.title = `${route?.heading || route?.title || 'Not found'} · Holdfast`;
	const late = setTimeout(() => mount(main, waiting(route)), is_first ? 0 : SKELETON_AFTER_MS);
	try {
		const node = await content(route, ctx);
		if (!ctx.signal.aborted)
			mount(main, node);
	} catch (error) {
		if (error.name === 'AbortError' || ctx.signal.aborted)
			return;
		mount(main, failed(error, route, ctx.path));
	} finally {
		clearTimeout(late);
	}
	if (!ctx.signal.aborted)
		settle(main);
}

/* Whoever comes to a page hears its name first; not at the very start, when
   the browser has its own place for the focus. */
function settle(main) {
	const wanted = main.querySelector('[autofocus]');
	if (wanted)
		wanted.focus();
	else if (!is_first)
		(main.querySelector('h1') || main).focus({ preventScroll: true });
	is_first = false;
}

function onEnd() {
	if (!session.data)
		return;
	forget();
	forgetReminder();
	toast('Your session has ended.', { kind: 'notice', text: 'Log in again to go on.' });
	toLogin();
}

/* What no button and no page has caught. */
function onUncaught(event) {
	const { reason } = event;
	if (reason?.name === 'Problem') {
		event.preventDefault();
		toast(reason.title, { kind: 'bad', text: reason.detail });
	} else if (reason?.name === 'AbortError') {
		event.preventDefault();
	}
}

async function start() {
	mount(root, h('main.outside', skeleton(4)));
	try {
		await session.load();
	} catch (error) {
		mount(root, h('main.outside', h('div.gate', errorState(error, start))));
		return;
	}
	await startRouter(ROUTES, draw);
}

mount(document.body, root);
startToasts();
onUnauthenticated(onEnd);
window.addEventListener('unhandledrejection', onUncaught);
window.addEventListener('beforeunload', event => isGuarded() && event.preventDefault());
start();
