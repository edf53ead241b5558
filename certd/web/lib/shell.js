// SPDX-License-Identifier: Apache-2.0
//
// The frame around every page of somebody who is logged in: navigation, top
// bar, and the reminder of what expires.

import { button, linkButton } from './button.js';
import { h, icon, mount, svg, uniqueId } from './dom.js';
import { number, plural, word } from './format.js';
import { subscribe, watchLive } from './live.js';
import { menu } from './menu.js';
import { href, navigate } from './router.js';
import { session } from './session.js';
import { note, sectionMark } from './status.js';
import { setTheme, theme } from './theme.js';

const SEEN = 'holdfast.reminded';
const LIVE = { open: 'Live', waiting: 'Reconnecting', closed: 'Not live' };

/** The product's sign. */
export function logo() {
	return svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' },
		svg('rect', { width: 24, height: 24, rx: 6, fill: 'currentColor' }),
		svg('path', { d: 'M8 6.5v11M16 6.5v11M8 12h8', fill: 'none', stroke: '#fff', 'stroke-width': 2.6, 'stroke-linecap': 'round' }));
}

function navigation(routes, groups) {
	const shown = routes.filter(route => route.icon && session.may(route.who));
	const mark = h('span.section-mark');
	const link = route => h('li', h('a', { href: href(route.path), data: { path: route.path } }, icon(route.icon), route.title,
		route.path === '/certificates' ? mark : null));
	const nav = h('div.sections', groups.map((name, i) => {
		const list = shown.filter(route => route.group === name);
		return list.length ? [name ? h('h2', { id: `group-${i}` }, name) : null,
			h('ul', name ? { 'aria-labelledby': `group-${i}` } : {}, list.map(link))] : null;
	}));
	const remark = () => mount(mark, sectionMark(session.data || {}));
	remark();
	return { nav, remark };
}

/** The switch between themes, also in the settings. */
export function themeSwitch() {
	const choices = [['light', 'Light'], ['dark', 'Dark'], ['system', 'System']];
	const name = uniqueId('theme');
	const inputs = choices.map(([value]) => h('input', { type: 'radio', name, value, on: { change: () => setTheme(value) } }));
	const sync = () => inputs.forEach(input => { input.checked = input.value === theme(); });
	document.documentElement.addEventListener('themechange', sync);
	sync();
	return h('fieldset.segmented', h('legend.visually-hidden', 'Theme'),
		choices.map(([value, label], i) => h('label', inputs[i], icon(value), label)));
}

function userMenu(logOut) {
	const { data } = session;
	const who = h('div.head', h('strong', session.label), data.user?.email && data.user.email !== session.label ? h('div.small.quiet', data.user.email) : null,
		h('div.small.quiet', `${word(data.role)} of ${session.account || 'all accounts'}`));
	return menu(h('button.button.plain', { type: 'button', 'aria-label': `Your account: ${session.label}` }, icon('user'), h('span.who', session.label)), [
		who,
		h('div.theme-row', themeSwitch()),
		'-',
		{ label: 'Settings', icon: 'settings', href: href('/settings') },
		{ label: 'Log out', icon: 'logout', run: logOut },
	]);
}

function liveSign() {
	const sign = h('span.live', { role: 'status' });
	watchLive(state => {
		sign.dataset.state = state;
		sign.title = state === 'open' ? 'This page shows changes as they happen.' : 'The stream of changes is away: the page is as it was read, until it is back.';
		mount(sign, LIVE[state]);
	});
	return sign;
}

/* Once a session, at log-in: C14. */
function reminder() {
	const { expired = 0, expiring = 0 } = session.data;
	const kept = storage();
	if ((!expired && !expiring) || kept?.getItem(SEEN) === session.data.actor)
		return null;
	const said = [];
	if (expired)
		said.push(`${plural(expired, 'certificate has', 'certificates have')} expired`);
	if (expiring)
		said.push(`${expired ? `${number(expiring)} ${expiring === 1 ? 'expires' : 'expire'}` : plural(expiring, 'certificate expires', 'certificates expire')} in 14 days or less`);
	const close = () => {
		kept?.setItem(SEEN, session.data.actor);
		node.remove();
	};
	const look = h('a.button.small', { href: href('/certificates?expires_within_days=14&order=expires'), on: { click: close } }, 'Show them');
	const node = note(expired ? 'bad' : 'notice', `${said.join(', and ')}.`, { actions: [look], close });
	node.classList.add('reminder');
	node.setAttribute('role', 'region');
	node.setAttribute('aria-label', 'Reminder');
	return node;
}

function storage() {
	try {
		return sessionStorage;
	} catch {
		return null;
	}
}

/** A new session reminds again. */
export function forgetReminder() {
	storage()?.removeItem(SEEN);
}

function bar(app, side, logOut) {
	const open = on => {
		app.dataset.nav = on ? 'open' : 'closed';
		toggle.setAttribute('aria-expanded', String(on));
		app.querySelector('.body').inert = on;
		if (on)
			side.querySelector('a')?.focus();
	};
	const toggle = button('Navigation', { kind: 'plain', icon: 'menu', iconOnly: true, run: () => open(app.dataset.nav !== 'open') });
	toggle.classList.add('menu-button');
	toggle.setAttribute('aria-expanded', 'false');
	const close = () => {
		if (app.dataset.nav === 'open') {
			open(false);
			toggle.focus();
		}
	};
	side.addEventListener('keydown', event => event.key === 'Escape' && close());
	side.addEventListener('click', event => event.target.closest('a') && close());
	app.querySelector('.scrim').addEventListener('click', close);
	const where = h('div.where', { title: 'Whose things you see' }, icon('account'), h('span', session.account || 'All accounts'));
	return h('header.top', toggle, where, liveSign(), userMenu(logOut));
}

/**
 * @param {{routes: Object[], groups: string[], logOut: Function}} options
 * @returns {{node: HTMLElement, main: HTMLElement, at: function(string): void}} at(path): which section is shown
 */
export function shell(options) {
	const { nav, remark } = navigation(options.routes, options.groups);
	const main = h('main', { id: 'main', tabindex: -1 });
	const side = h('nav.side', { 'aria-label': 'Main' }, h('a.brand', { href: href('/') }, logo(), 'Holdfast'), nav);
	const body = h('div.body');
	const app = h('div.app', side, h('div.scrim'), body);
	body.append(bar(app, side, options.logOut));
	const remind = reminder();
	if (remind)
		body.append(remind);
	body.append(main);
	const stop = new AbortController();
	subscribe('certificates', () => session.refresh().then(remark, () => {}), stop.signal);
	return {
		node: app, main, leave: () => stop.abort(),
		at(path) {
			for (const link of nav.querySelectorAll('a')) {
				const own = link.dataset.path;
				if (own === path)
					link.setAttribute('aria-current', 'page');
				else if (own !== '/' && path.startsWith(`${own}/`))
					link.setAttribute('aria-current', 'true');
				else
					link.removeAttribute('aria-current');
			}
		},
	};
}

/** A page that is not there, or not for this person. @param {'missing'|'forbidden'} why */
export function wrongPage(why) {
	const missing = why === 'missing';
	return h('div.empty', icon(missing ? 'search' : 'lock'), h('h1', { tabindex: -1 }, missing ? 'There is no such page' : 'This page is not for your role'),
		h('p', missing ? 'The address may be mistyped, or what it showed has been deleted.'
			: `You are logged in as ${session.label}${session.role ? `, ${session.role}` : ''}. An administrator of your account can give you another role.`),
		h('div.actions', linkButton('Go to the overview', '/', { kind: 'primary' }), button('Back', { run: () => history.back() })));
}

/** To the log-in page, and back to where one wanted to go. */
export function toLogin() {
	const path = location.pathname.replace(/^\/console/, '') + location.search;
	const next = path && path !== '/' && !path.startsWith('/login') ? `?next=${encodeURIComponent(path)}` : '';
	return navigate(`/login${next}`, { replace: true });
}
