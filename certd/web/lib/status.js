// SPDX-License-Identifier: Apache-2.0
//
// How things are: badges, marks, notes, progress. A colour never stands alone:
// an icon and a word go with it.

import { h, icon } from './dom.js';
import { daysLeft, expiry, plural, relative, when, word } from './format.js';

/** @typedef {'good'|'notice'|'bad'|'busy'|'neutral'|'info'} Kind */

const ICON_OF = { good: 'good', notice: 'notice_mark', bad: 'bad', busy: 'busy', info: 'info', neutral: 'none', waiting: 'waiting' };

/** A small word in a pill. @param {Kind} kind @param {string} text @param {string|false} [symbol] another icon; false: none */
export function badge(kind, text, symbol) {
	const shown = symbol === false ? null : icon(symbol || ICON_OF[kind] || 'none');
	return h('span.badge', { class: [kind, shown ? '' : 'text-only'] }, shown, text);
}

const STATES = {
	// Changes
	queued: 'neutral', checking: 'busy', ordering: 'busy', presenting: 'busy', awaiting_verify: 'notice', validating: 'busy',
	awaiting_issue: 'notice', finalizing: 'busy', installing: 'busy', proving: 'busy', done: 'good', failed: 'bad', cancelled: 'neutral',
	// Enrollments, plans
	pending: 'busy', active: 'good', revoked: 'bad', estimated: 'neutral', running: 'busy', paused: 'notice',
	// Edges
	expected: 'neutral', live: 'good', away: 'notice', quarantined: 'bad', held_back: 'bad',
	// Checks of a diagnosis
	pass: 'good', fail: 'bad', warning: 'notice', not_applicable: 'neutral',
	// Notices
	sent: 'good',
	// Keys
	suspended: 'notice', scheduled: 'bad', destroyed: 'neutral',
	// Challenges
	present: 'good', valid: 'good', invalid: 'bad',
};

/** The badge of a state that the API names. @param {string} state 'awaiting_verify' @param {string} [text] another word */
export function stateBadge(state, text) {
	return badge(STATES[state] || 'neutral', text || word(state));
}

/** What a number of days until expiry means. @returns {'expired'|'soon'|''} */
export function expiryState(days) {
	if (days < 0)
		return 'expired';
	return days <= 14 ? 'soon' : '';
}

/**
 * The mark of a row whose certificate is expired or has 14 days or less; two different ones. Null: neither.
 * @param {number} days expires_in_days
 */
export function expiryMark(days) {
	const state = expiryState(days);
	if (!state)
		return null;
	const text = expiry(days);
	return h('span.mark', { class: state, title: text[0].toUpperCase() + text.slice(1) }, icon(state, { label: text }));
}

/** When a certificate expires, in a list: what is past or near differs by its words, too. @param {number} at_s */
export function expiryTime(at_s) {
	const state = at_s ? expiryState(daysLeft(at_s)) : '';
	if (!state)
		return when(at_s, 'both');
	return [when(at_s, 'date'), h('span.under.expiry', { class: state }, state === 'expired' ? `Expired ${relative(at_s)}` : relative(at_s))];
}

/** The same in words. @param {number} days expires_in_days */
export function expiryBadge(days) {
	const state = expiryState(days);
	const text = expiry(days);
	return badge({ expired: 'bad', soon: 'notice', '': 'neutral' }[state], text[0].toUpperCase() + text.slice(1), state || 'certificate');
}

/** The mark of the section in the navigation. @param {{expired: number, expiring: number}} counts the session */
export function sectionMark(counts) {
	const { expired = 0, expiring = 0 } = counts;
	if (!expired && !expiring)
		return null;
	const said = [];
	if (expired)
		said.push(`${plural(expired, 'certificate')} expired`);
	if (expiring)
		said.push(`${plural(expiring, 'certificate')} with 14 days or less`);
	const state = expired ? 'expired' : 'soon';
	return h('span.mark', { class: state, title: said.join(', ') },
		icon(state), h('span', { 'aria-hidden': 'true' }, expired || expiring), h('span.visually-hidden', said.join(', ')));
}

/**
 * Something that the page wants to say.
 * @param {Kind} kind @param {string} title one sentence @param {{text?: *, actions?: *[], close?: Function}} [options]
 */
export function note(kind, title, options = {}) {
	const { text, actions, close } = options;
	return h('div.note', { class: kind, role: kind === 'bad' ? 'alert' : null },
		icon(ICON_OF[kind] || 'info'),
		h('div.said', text || actions ? h('strong', title) : h('span', title), text ? h('div', text) : null,
			actions ? h('div.actions', actions) : null),
		close ? h('button.button.plain.small.icon-only.close', { type: 'button', 'aria-label': 'Dismiss', on: { click: close } }, icon('close')) : null);
}

/** A bar. @param {number} percent @param {{label: string, text?: *, kind?: Kind}} options label: what it measures */
export function progress(percent, options) {
	const part = Math.max(0, Math.min(100, Math.round(percent)));
	return h('div.progress', { class: options.kind || (part === 100 ? 'good' : '') },
		h('div.said', h('span', options.label), h('span.num', options.text ?? `${part} %`)),
		h('div.track', { role: 'progressbar', 'aria-label': options.label, 'aria-valuenow': part, 'aria-valuemin': 0, 'aria-valuemax': 100 },
			h('div.fill', { vars: { '--part': `${part}%` } })));
}

/**
 * What was done and what is next, one below the other.
 * @param {{state: Kind|'waiting', title: *, text?: *, at?: Node}[]} list
 */
export function steps(list) {
	return h('ol.steps', list.map(each => h('li', { class: each.state },
		icon(ICON_OF[each.state] || 'none'),
		h('div', h('div.head', h('span', each.title, h('span.visually-hidden', ` (${each.state})`)), each.at),
			each.text ? h('div.text', each.text) : null))));
}
