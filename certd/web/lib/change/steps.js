// SPDX-License-Identifier: Apache-2.0
//
// The steps of a change as its states and its history tell them. Knows no page.

/** @typedef {{state: 'good'|'busy'|'notice'|'bad'|'waiting', name: string, title: string, text: string, at_s: number}} Step */

const ORDER = [
	['checking', 'Look whether it can succeed'],
	['ordering', 'Order it from the CA'],
	['presenting', 'Put the challenges in place'],
	['awaiting_verify', 'Your word that they are in place'],
	['validating', 'The CA validates the names'],
	['awaiting_issue', 'Your word to have it issued'],
	['finalizing', 'Key in the token, and the CA issues'],
	['installing', 'Check it and put it in its place'],
	['proving', 'See every edge serve it'],
];

const ENDS = { done: 'good', failed: 'bad', cancelled: 'neutral', expired: 'bad' };
/* Only where a person is asked, or where it was done. */
const OPTIONAL = new Set(['checking', 'awaiting_verify', 'awaiting_issue']);
const LAST_WORDS = { failed: 'It failed here.', cancelled: 'It was given up here.', expired: 'The order ended here.' };
const AWAITS = { awaiting_verify: 'Verify when the challenges are in place.', awaiting_issue: 'The names are validated: have it issued when you want.' };

/** Has it come to its end? @param {{state: string}} change */
export function hasEnded(change) {
	return change.state in ENDS;
}

/** Which step it is at, or was at when it ended; -1: at none yet. @param {Object} change */
function placeOf(change) {
	const at = ORDER.findIndex(([name]) => name === change.state);
	if (at >= 0)
		return at;
	const seen = change.history.map(each => ORDER.findIndex(([name]) => name === each.state));
	return Math.max(-1, ...seen);
}

/* What the step that it is at looks like. */
function stateOfCurrent(change) {
	if (change.state.startsWith('awaiting'))
		return 'notice';
	if (change.state === 'done')
		return 'good';
	if (hasEnded(change))
		return change.state === 'cancelled' ? 'notice' : 'bad';
	return change.problem ? 'notice' : 'busy';
}

function textOfCurrent(change, event) {
	if (change.state === 'done')
		return event?.text || '';
	if (hasEnded(change))
		return LAST_WORDS[change.state];
	if (change.state in AWAITS)
		return AWAITS[change.state];
	return change.doing || event?.text || '';
}

/**
 * @param {Object} change as GET /changes/{id} answers it, with its history
 * @returns {Step[]} in order; what was passed over is left out
 */
export function stepsOf(change) {
	const place = placeOf(change);
	const list = [];
	ORDER.forEach(([name, title], i) => {
		if (name === 'proving' && !change.resource && change.state !== 'proving')
			return;
		const event = change.history.find(each => each.state === name);
		if (i < place && event)
			list.push({ state: 'good', name, title, text: event.text, at_s: event.at_s });
		else if (i === place)
			list.push({ state: stateOfCurrent(change), name, title, text: textOfCurrent(change, event), at_s: event?.at_s || 0 });
		else if (i > place && !OPTIONAL.has(name) && !hasEnded(change))
			list.push({ state: 'waiting', name, title, text: '', at_s: 0 });
	});
	return place < 0 ? [beginOf(change), ...list] : list;
}

function beginOf(change) {
	const event = change.history[0];
	return { state: hasEnded(change) ? stateOfCurrent(change) : change.problem ? 'notice' : 'busy', name: 'queued', title: 'Wait for its turn',
		text: textOfCurrent(change, event), at_s: event?.at_s || change.created_s };
}

/** A record as a line of a zone file. @param {{dns_name: string, dns_target: string, dns_value: string}} challenge */
export function recordOf(challenge) {
	const value = challenge.dns_value.replace(/[\\"]/g, '\\$&');
	return `${(challenge.dns_target || challenge.dns_name).replace(/\.?$/, '.')} 300 IN TXT "${value}"`;
}
