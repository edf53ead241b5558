// SPDX-License-Identifier: Apache-2.0
//
// Before the console opens: a password, or a second factor, that somebody must
// set first.

import { button } from '../lib/button.js';
import { passwordForm, totpSetup } from '../lib/credentials.js';
import { h } from '../lib/dom.js';
import { session } from '../lib/session.js';
import { frame } from './login.js';

export const title = 'Welcome';

export async function render(ctx) {
	const must = session.data?.must_set;
	if (!must) {
		await ctx.navigate(session.data ? '/' : '/login', { replace: true });
		return h('div');
	}
	const out = button('Log out', { kind: 'plain', run: async () => {
		await session.leave();
		await ctx.navigate('/login');
	} });
	return must === 'totp' ? secondFactor(ctx, out) : password(ctx, out);
}

function password(ctx, out) {
	const name = session.user?.name;
	return frame(h('h1', { tabindex: -1 }, name ? `Welcome, ${name}` : 'Welcome to Holdfast'),
		h('p.quiet', 'Set a password to log in with from now on, as ', h('strong', session.user?.email || session.label), '.'),
		passwordForm(ctx, { submit: 'Set password', autofocus: true, done: () => ctx.navigate(session.data.must_set ? '/welcome' : '/', { replace: true }) }),
		h('div', out));
}

async function secondFactor(ctx, out) {
	return frame(h('h1', { tabindex: -1 }, 'Set up a second factor'),
		h('p.quiet.wide-gate', 'It is required here. Each log-in then also asks for a code of your authenticator app.'),
		await totpSetup(ctx, () => ctx.navigate('/', { replace: true })), h('div', out));
}
