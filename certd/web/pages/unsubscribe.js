// SPDX-License-Identifier: Apache-2.0
//
// A link in a mail leads here, to stop mails of its kind. Nobody logs in: the
// link's token is the permission. It asks first, because mail programs look
// into links by themselves.

import { button } from '../lib/button.js';
import { h, mount } from '../lib/dom.js';
import { problemNote } from '../lib/layout.js';
import { note } from '../lib/status.js';
import { frame } from './login.js';

export const title = 'Stop mails';

export async function render(ctx) {
	const { token } = ctx.query;
	const box = h('div.stack');
	if (!token) {
		mount(box, note('notice', 'This link is not complete.', { text: 'Open it again from the mail; some programs cut long links in two.' }));
		return frame(h('h1', { tabindex: -1 }, 'Stop these mails'), box);
	}
	const trouble = h('div', { 'aria-live': 'assertive' });
	const act = button('Stop these mails', { kind: 'primary', run: async () => {
		mount(trouble);
		try {
			const answer = await ctx.api.post('/notices:unsubscribe', { token }, { key: null, quiet: true });
			mount(box, note('good', 'Done.', { text: answer.detail || 'They are not sent to you any more.' }),
				h('p.quiet', 'An administrator of the account sees that in its history. The rules under Notices say who is told instead.'));
			box.querySelector('.note').setAttribute('role', 'status');
		} catch (problem) {
			mount(trouble, problemNote(problem));
		}
	} });
	act.classList.add('whole');
	mount(box, h('p', 'You get no more mails of the kind that this link came in. Others of Holdfast still reach you.'),
		h('p.quiet', 'If such mails tell you of certificates that expire, see that somebody else gets them.'), act, trouble);
	return frame(h('h1', { tabindex: -1 }, 'Stop these mails?'), box);
}
