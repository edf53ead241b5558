// SPDX-License-Identifier: Apache-2.0
//
// Mails that their recipients have stopped, beside the people they went to.

import { h } from './dom.js';
import { eventTitle } from './notices.js';
import { href } from './router.js';
import { badge } from './status.js';

/**
 * Puts into each user or contact which mails to it are stopped: stopped, names of events.
 * @param {Object} ctx @param {string} account '' for all @param {Object[]} people with account and email
 * @returns {Promise<Object[]>}
 */
export async function withStopped(ctx, account, people) {
	const { items } = people.length ? await ctx.api.all('/notice-mutes', 'mutes', { account }) : { items: [] };
	const of = person => items.filter(mute => mute.account === person.account && mute.recipient === person.email.toLowerCase());
	return people.map(person => ({ ...person, stopped: of(person).map(mute => mute.event) }));
}

/** The mark of such a person, which leads to where that is undone; null: gets all. @param {{email: string, stopped: string[]}} person */
export function stoppedMark(person) {
	if (!person.stopped.length)
		return null;
	return h('a', { href: href(`/notices?tab=stopped&recipient=${encodeURIComponent(person.email)}`), title: `Stopped by the recipient: ${person.stopped.map(eventTitle).join(', ')}` },
		badge('notice', 'Mails stopped'));
}
