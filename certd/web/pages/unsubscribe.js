// SPDX-License-Identifier: Apache-2.0
//
// A link in a mail leads here, to stop mails of its kind, to see whether they
// are, and to have them sent again. Nobody logs in: the link's token is the
// permission. It asks first, because mail programs look into links by themselves.

import { button } from '../lib/button.js';
import { h, mount } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { details, problemNote } from '../lib/layout.js';
import { eventTitle } from '../lib/notices.js';
import { note } from '../lib/status.js';
import { frame } from './login.js';

export const title = 'Stop mails';

export async function render(ctx) {
	const view = { ctx, token: ctx.query.token, head: h('h1', { tabindex: -1 }, 'Stop these mails'), box: h('div.stack'), said: h('div', { role: 'status' }) };
	if (!view.token)
		mount(view.box, note('notice', 'This link is not complete.', { text: 'Open it again from the mail; some programs cut long links in two.' }));
	else
		await begin(view);
	return frame(view.head, view.said, view.box);
}

/* Only the token says something here: a session that is open in this browser is not asked for. */
function ask(view, act) {
	return view.ctx.api.post(`/notices:${act}`, { token: view.token }, { key: null, quiet: true });
}

async function begin(view) {
	try {
		draw(view, await ask(view, 'subscription'));
	} catch (problem) {
		if (problem.name !== 'Problem')
			throw problem;
		const is_final = problem.status === 400 || problem.status === 404;
		mount(view.box, problemNote(problem), is_final ? null : button('Try again', { icon: 'retry', run: () => view.ctx.reload() }));
	}
}

function draw(view, state) {
	mount(view.head, state.stopped ? 'These mails are stopped' : 'Stop these mails?');
	view.ctx.setTitle(state.stopped ? 'Mails stopped' : title);
	mount(view.box, details([['To', state.recipient], ['About', eventTitle(state.event)], ['Account', state.account],
		state.stopped ? ['Stopped', h('span', when(state.since_s, 'date'), ' (', when(state.since_s, 'relative'), ')')] : null]), state.stopped ? resume(view) : stop(view, state));
}

function stop(view, state) {
	const again = state.since_s ? h('p.quiet', state.lifted_by_account ? 'You had stopped them. Somebody of the account had them sent again ' : 'You had stopped them, and had them sent again ',
		when(state.since_s, 'relative'), '.') : null;
	return [h('p', 'You get no more mails of this kind then. Others of Holdfast still reach you.'),
		h('p.quiet', 'If such mails tell you of certificates that expire, see that somebody else gets them.'), again,
		act(view, 'unsubscribe', 'Stop these mails', { kind: 'primary', said: 'They are not sent to you any more.' })];
}

function resume(view) {
	return [h('p', 'Mails of this kind are not sent to you. Others of Holdfast still reach you.'),
		h('p.quiet', 'Who manages the account sees that you stopped them, and whom the rules tell instead.'),
		act(view, 'resubscribe', 'Send them again', { icon: 'retry', said: 'They are sent to you again, as the account\'s rules say.' })];
}

/* The button of an act, and what went wrong with it. */
function act(view, name, label, options) {
	const trouble = h('div', { 'aria-live': 'assertive' });
	const node = button(label, { ...options, run: async () => {
		mount(trouble);
		mount(view.said);
		try {
			await ask(view, name);
			draw(view, await ask(view, 'subscription'));
			mount(view.said, note('good', 'Done.', { text: options.said }));
			view.head.focus();
		} catch (problem) {
			if (problem.name === 'AbortError')
				throw problem;
			mount(trouble, problemNote(problem));
		}
	} });
	node.classList.add('whole');
	return h('div.stack-s', trouble, node);
}
