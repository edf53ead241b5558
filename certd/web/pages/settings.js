// SPDX-License-Identifier: Apache-2.0
//
// Settings: one's own password, second factor and sessions, the look; and for
// who sees all, how certd is.

import { button } from '../lib/button.js';
import { copyable } from '../lib/copy.js';
import { codeField, digits, passwordForm, totpSetup } from '../lib/credentials.js';
import { confirm, dialog } from '../lib/dialog.js';
import { h } from '../lib/dom.js';
import { form } from '../lib/form.js';
import { number, plural, when, word } from '../lib/format.js';
import { card, details, loaded, page } from '../lib/layout.js';
import { session } from '../lib/session.js';
import { themeSwitch } from '../lib/shell.js';
import { badge, note } from '../lib/status.js';
import { table } from '../lib/table.js';
import { toast } from '../lib/toast.js';

export const title = 'Settings';

const METHODS = { password: 'Password', link: 'One-time link', certificate: 'Client certificate' };

export async function render(ctx) {
	const list = sessions(ctx);
	const { user } = session;
	return page({ title, lead: 'What is yours: how you log in, where you are logged in, and how the console looks.' },
		h('div.settings',
			h('div.stack', you(), user ? password(ctx, list.refresh) : null),
			h('div.stack', look(), user ? secondFactor(ctx) : null, session.seesAll ? service(ctx) : null),
			h('div.whole', card({ title: 'Sessions', text: user ? 'Where you are logged in. End what you do not know, and set a new password then.'
				: 'Where you are logged in.', flush: true }, list))));
}

function you() {
	const { data, user } = session;
	return card({ title: 'You' }, h('div.stack', details([
		['Name', user?.name], ['E-mail', user?.email], ['Known as', user ? null : data.actor],
		['Account', data.account || 'All accounts'], ['Role', word(data.role)],
		['Logged in by', METHODS[data.method]], ['Ends at the latest', data.expires_s ? when(data.expires_s) : null],
	]), user ? null : note('info', 'You log in by your client certificate, or by a one-time link that is made at a command line. There is no password to set here.')));
}

function look() {
	return card({ title: 'Look' }, h('div.stack-s', themeSwitch(), h('p.small.quiet', 'Kept in this browser. System follows the setting of your device.')));
}

function password(ctx, refresh) {
	return card({ title: 'Password', text: 'A new one ends all your other sessions, and links to log in that are still open.' },
		passwordForm(ctx, {
			submit: session.data.password_set ? 'Change password' : 'Set password',
			done: async () => {
				toast('Password set.', { text: 'Your other sessions have ended.' });
				await refresh();
			},
		}));
}

/* ---- second factor ---- */

function secondFactor(ctx) {
	const on = session.data.totp_on;
	return card({ title: 'Second factor', actions: on ? badge('good', 'On', 'shield') : badge('neutral', 'Off') }, h('div.stack',
		h('p.quiet', on ? 'Each log-in by password also asks for a code of your authenticator app. Whoever learns the password alone cannot get in.'
			: 'An authenticator app on your phone shows a new code every 30 seconds. Whoever learns your password alone cannot get in.'),
		h('div', on ? button('Turn off', { kind: 'danger', run: () => turnOff(ctx) }) : button('Set up', { kind: 'primary', run: () => turnOn(ctx) }))));
}

async function turnOn(ctx) {
	const setup = await totpSetup(ctx, () => box.close(true), () => box.close(false));
	const box = dialog({ title: 'Set up a second factor', wide: true, body: setup });
	setup.querySelector('input').focus();
	if (await box.closed) {
		await ctx.reload();
		toast('The second factor is on.', { text: 'The next log-in asks for a code.' });
	}
}

async function turnOff(ctx) {
	const box = dialog({
		title: 'Turn the second factor off?',
		body: close => [h('p', 'Your password alone will be enough to log in. Type a code of your app, so that nobody else can do this.'), form(null, {
			items: [codeField()], submit: 'Turn off', danger: true, cancel: () => close(false),
			onSubmit: async values => {
				session.adopt(await ctx.api.post('/session:disable_totp', { code: digits(values.code) }, { key: null }));
				close(true);
			},
		})],
	});
	box.node.querySelector('form input').focus();
	if (await box.closed) {
		await ctx.reload();
		toast('The second factor is off.');
	}
}

/* ---- sessions ---- */

function sessions(ctx) {
	const list = loaded(ctx, {
		load: () => ctx.api.get('/sessions'), lines: 3,
		draw: ({ sessions: all }) => table({
			caption: 'Your sessions', rows: all,
			columns: [
				{ label: 'Where', class: 'main', cell: each => [h('strong', browserOf(each.user_agent)), h('span.under', each.address)] },
				{ label: 'Logged in', cell: each => [when(each.created_s), h('span.under', METHODS[each.method])] },
				{ label: 'Last seen', cell: each => when(each.last_seen_s, 'relative') },
				{ label: '', class: 'acts', cell: each => each.current ? badge('good', 'This one')
					: button('End', { small: true, kind: 'danger', run: () => end(ctx, each, list.refresh) }) },
			],
		}),
	});
	return list;
}

async function end(ctx, each, refresh) {
	const done = await confirm({
		title: 'End this session?', text: `${browserOf(each.user_agent)} at ${each.address} is logged out at once.`,
		confirm: 'End session', danger: true, run: () => ctx.api.delete(`/sessions/${each.id}`),
	});
	if (done) {
		toast('The session has ended.');
		await refresh();
	}
}

const BROWSERS = [[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\//, 'Chrome'], [/Safari\//, 'Safari'], [/curl\//, 'curl']];
const SYSTEMS = [[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'], [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux']];

/* "Firefox on Linux", as near as a browser's own words allow. */
function browserOf(text) {
	const name = BROWSERS.find(([sign]) => sign.test(text))?.[1];
	const system = SYSTEMS.find(([sign]) => sign.test(text))?.[1];
	if (!name)
		return text || 'Unknown browser';
	return system ? `${name} on ${system}` : name;
}

/* ---- certd ---- */

function service(ctx) {
	return loaded(ctx, {
		load: () => ctx.api.get('/status'), lines: 6,
		draw: status => card({ title: 'This certd', text: 'What it runs as. Its configuration is certd.yaml; changes there need a restart.' }, details([
			['Version', status.version],
			['Identity', copyable(status.identity, { label: 'the identity' })],
			['Started', when(status.started_s)],
			['Confined by', status.sandbox],
			['Database', `Schema ${status.schema}`],
			['Holds', `${plural(status.accounts, 'account')}, ${plural(status.certificates, 'certificate')}, ${plural(status.resources, 'resource')}`],
			['Edges', `${plural(status.edges_live, 'edge')} live, version ${number(status.edge_version)}`],
			['keyd', status.keyd_trouble ? badge('bad', status.keyd_trouble) : badge('good', 'Reached')],
			status.pending_grants ? ['Grants on their way', number(status.pending_grants)] : null,
		])),
	});
}
