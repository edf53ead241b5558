// SPDX-License-Identifier: Apache-2.0
//
// Log in: by password and second factor, by a one-time link, or by an
// operator's client certificate. The link's secret stands behind '#', which
// browsers send nowhere; it leaves the address before it is used.

import { busy, button } from '../lib/button.js';
import { append, h, icon, mount } from '../lib/dom.js';
import { field, form } from '../lib/form.js';
import { problemNote } from '../lib/layout.js';
import { forgetReminder, logo } from '../lib/shell.js';
import { session } from '../lib/session.js';
import { note } from '../lib/status.js';

export const title = 'Log in';

export async function render(ctx) {
	/* A link that is pasted while this page is open changes only what is behind '#'. */
	window.addEventListener('hashchange', () => ctx.reload(), { signal: ctx.signal });
	const secret = takeSecret();
	const view = { ctx, how: 'password', box: h('div.stack'), head: h('h1', { tabindex: -1 }, 'Log in to Holdfast') };
	if (secret)
		withLink(view, secret);
	else if (session.data)
		return entered(ctx);
	else
		withPassword(view);
	return frame(view.head, view.box);
}

/** What stands around the pages before one is in. @param {HTMLElement} head an h1 @param {...*} children */
export function frame(head, ...children) {
	return h('div.gate', h('div.gate-box', h('div.gate-logo', logo(), h('span', 'Holdfast')), h('section.card.gate-card', head, children),
		h('p.gate-foot', icon('lock'), 'TLS private keys stay in the hardware security module. Nobody can read them here.')));
}

function takeSecret() {
	const [, secret] = /^#link=([^&]+)/.exec(location.hash) || [];
	if (secret)
		history.replaceState(null, '', location.pathname + location.search);
	return secret || '';
}

async function entered(ctx) {
	forgetReminder();
	const wanted = ctx.query.next || '/';
	await ctx.navigate(session.data.must_set ? '/welcome' : wanted.startsWith('/') ? wanted : '/', { replace: true });
	return h('div');
}

function withPassword(view) {
	view.how = 'password';
	const email = field({ name: 'email', label: 'E-mail address', type: 'email', required: true, autocomplete: 'username', attributes: { autofocus: true } });
	const password = field({ name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'current-password' });
	const inner = form(null, {
		items: [email, password], submit: 'Log in', wide: true,
		onSubmit: values => enter(view, inner, values),
	});
	mount(view.head, 'Log in to Holdfast');
	mount(view.box, inner, h('div.or', 'or'), certificateButton(view));
	return email;
}

function certificateButton(view) {
	const trouble = h('div');
	const act = button('Use a client certificate', {
		icon: 'shield', title: 'For operators and auditors, whose certificate is installed in this browser',
		run: async () => {
			mount(trouble);
			try {
				await session.enter('certificate', {});
				await entered(view.ctx);
			} catch (problem) {
				mount(trouble, problemNote(problem));
			}
		},
	});
	act.classList.add('whole');
	return h('div.stack-s', act, h('p.small.quiet', 'For operators and auditors whose certificate is installed in this browser.'), trouble);
}

/* What is still missing is asked for, one thing after the other. */
async function enter(view, inner, values) {
	try {
		await session.enter(view.how, values);
	} catch (problem) {
		if (problem.reason === 'TOTP_REQUIRED')
			return askCode(view, values);
		if (problem.reason === 'ACCOUNT_REQUIRED')
			return askAccount(view, values, problem);
		if (problem.status === 429)
			return pause(inner, problem);
		if (problem.status === 401 && values.totp_code)
			return wrongCode(inner.fields.totp_code, problem);
		throw problem;
	}
	return entered(view.ctx);
}

function wrongCode(code, problem) {
	code.setError(problem.detail);
	code.focus();
	code.input.select();
}

function ask(view, head, lead, items, submit, values) {
	const inner = form(null, {
		items, submit, wide: true, cancel: () => withPassword(view).focus(),
		onSubmit: more => enter(view, inner, { ...values, ...more, ...codeOf(more) }),
	});
	mount(view.head, head);
	mount(view.box, h('p.quiet', lead), inner);
	items[0].focus();
}

/* As people type it: '123 456'. */
function codeOf({ totp_code }) {
	return totp_code ? { totp_code: totp_code.replace(/\s/g, '') } : {};
}

function askCode(view, values) {
	const code = field({
		name: 'totp_code', label: 'Code', required: true, autocomplete: 'one-time-code', mono: true,
		attributes: { inputmode: 'numeric', maxlength: 7, placeholder: '123 456' },
		check: value => /^\d{3}\s?\d{3}$/.test(value) ? '' : 'Six digits, as your authenticator app shows them.',
	});
	ask(view, 'Enter the code', 'Your authenticator app shows six digits for Holdfast. They are new every 30 seconds.', [code], 'Log in', values);
}

function askAccount(view, values, problem) {
	/* "... say which is meant: acme, globex." */
	const names = problem.detail.replace(/^.*: /, '').replace(/\.$/, '').split(', ');
	const account = names.length > 1 ? field({ name: 'account', label: 'Account', type: 'choice', required: true, options: names })
		: field({ name: 'account', label: 'Account', required: true, autocomplete: 'organization', help: problem.detail });
	ask(view, 'Which account?', 'Your address belongs to more than one account.', [account], 'Log in', values);
}

/* Too many attempts: the button counts down what certd asks one to wait. */
function pause(inner, problem) {
	const act = inner.node.querySelector('[type="submit"]');
	const until = Date.now() + (problem.retry_after_s || 5) * 1000;
	const said = note('notice', problem.title, { text: problem.detail });
	inner.node.querySelector('.trouble').replaceChildren(said);
	const tick = () => {
		const left = Math.ceil((until - Date.now()) / 1000);
		act.disabled = left > 0;
		mount(act, left > 0 ? `Log in (${left} s)` : 'Log in');
		if (left > 0 && act.isConnected)
			setTimeout(tick, 500);
		else
			said.remove();
	};
	tick();
}

function withLink(view, secret) {
	view.how = 'link';
	const use = async () => {
		try {
			await session.enter('link', { secret });
		} catch (problem) {
			/* The link stands for the password alone, and is not used up by that. */
			if (problem.reason === 'TOTP_REQUIRED') {
				askCode(view, { secret });
				return;
			}
			mount(view.head, 'This link does not work');
			mount(view.box, problemNote(problem), button('Log in another way', { run: () => withPassword(view).focus() }));
			return;
		}
		await entered(view.ctx);
	};
	/* Never without a click: who was sent somebody else's link would add keys to that account unseen, and programs that look at mails would use it up. */
	mount(view.head, 'Log in by link?');
	const act = h('button.button.primary', { type: 'button', on: { click: () => busy(act, use) } }, 'Use the link');
	const other = session.data ? button('Stay as I am', { run: () => entered(view.ctx) }) : button('Log in another way', { run: () => withPassword(view).focus() });
	return append(view.box, session.data
		? h('p', 'You are logged in as ', h('strong', session.label), '. The link logs you in as whom it was made for, and ends the session that you have here.')
		: h('p', 'It logs you in as whom it was made for, once. Use it if you asked for it, or if it came from whoever runs Holdfast for you.'),
	h('div.actions', act, other));
}
