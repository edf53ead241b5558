// SPDX-License-Identifier: Apache-2.0
//
// Start: who is logged in, then the page at this address. Draws a page, its
// skeleton while it is made, and in its place what went wrong.

import { onUnauthenticated } from './lib/api.js';
import { h, mount } from './lib/dom.js';
import { card, errorState, page, skeleton } from './lib/layout.js';
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
		startLive();
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
	const module = await import(`./pages/${route.module}.js`);
	document.title = `${module.title || route.title} · Holdfast`;
	return module.render(ctx);
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
	document.title = `${route?.title || 'Not found'} · Holdfast`;
	const late = setTimeout(() => mount(main, skeleton()), is_first ? 0 : SKELETON_AFTER_MS);
	try {
		const node = await content(route, ctx);
		if (!ctx.signal.aborted)
			mount(main, node);
	} catch (error) {
		if (error.name === 'AbortError' || ctx.signal.aborted)
			return;
		if (error.name !== 'Problem')
			console.error(error);
		mount(main, page({ title: route.title }, card({}, errorState(error, reload))));
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

async function start() {
	mount(document.body, root);
	startToasts();
	onUnauthenticated(onEnd);
	window.addEventListener('beforeunload', event => isGuarded() && event.preventDefault());
	mount(root, h('main.outside', skeleton(4)));
	try {
		await session.load();
	} catch (error) {
		mount(root, h('main.outside', errorState(error, start)));
		return;
	}
	await startRouter(ROUTES, draw);
}

start();
