// SPDX-License-Identifier: Apache-2.0
//
// What has to be where so that the CA validates a name, ready to be copied.

import { codeBlock, copyable } from '../copy.js';
import { h, icon } from '../dom.js';
import { details } from '../layout.js';
import { badge, note, stateBadge } from '../status.js';
import { hasEnded, recordOf } from './steps.js';

function httpParts(challenge) {
	return [
		details([
			['Answer at', copyable(challenge.http_url, { label: 'the address', whole: true })],
			['With this text', copyable(challenge.http_body, { label: 'the text', whole: true })],
			['Token', copyable(challenge.token, { label: 'the token', whole: true })],
		]),
	];
}

function dnsParts(challenge) {
	return [
		details([
			['Name', copyable(challenge.dns_name, { label: 'the name', whole: true })],
			challenge.dns_target && challenge.dns_target !== challenge.dns_name
				? ['A CNAME leads to', h('div.stack-s', copyable(challenge.dns_target, { label: 'the name that the CNAME leads to', whole: true }),
					h('span.small.quiet', 'Put the record there: the CA follows the CNAME.'))] : null,
			['Type', 'TXT'],
			['Value', copyable(challenge.dns_value, { label: 'the value', whole: true })],
		]),
		codeBlock(recordOf(challenge), { label: 'As a line of a zone file' }),
	];
}

/* What was under way when the change ended leads nowhere any more. */
function stateOf(challenge, is_over) {
	return is_over && challenge.state !== 'valid' && challenge.state !== 'invalid' ? badge('neutral', 'Not validated') : stateBadge(challenge.state);
}

function challengeOf(challenge, is_over) {
	return h('li', h('div.head', h('h3', challenge.hostname), stateOf(challenge, is_over), h('span.small.quiet', challenge.type)),
		challenge.problem ? h('div.wrong', icon('notice_mark', { class: 'ink-notice', label: 'Not in place yet' }), h('div', challenge.problem)) : null,
		is_over ? null : h('div.stack-s', challenge.type === 'http-01' ? httpParts(challenge) : dnsParts(challenge)));
}

/* Who puts them in place. */
function leadOf(change) {
	if (hasEnded(change))
		return null;
	if (change.state === 'awaiting_verify')
		return note('notice', 'Put these in place, then press Verify.', { text: 'They stay the same as long as this change lives. Verify looks first, and says what is missing; it can be pressed again.' });
	if (change.challenges.some(each => each.state === 'pending' || each.state === 'unspecified'))
		return h('p.small.quiet', 'Edges answer by themselves, and DNS providers are told. Nothing has to be done here unless a name does not lead to the edges yet.');
	return null;
}

/** @param {Object} change @returns {?Node} null: there are none yet */
export function challengesOf(change) {
	if (!change.challenges.length)
		return null;
	return h('div.stack', leadOf(change), h('ul.challenges', change.challenges.map(each => challengeOf(each, hasEnded(change) || each.state === 'valid'))));
}
