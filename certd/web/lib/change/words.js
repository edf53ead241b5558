// SPDX-License-Identifier: Apache-2.0
//
// What pages call changes and their kinds.

import { h } from '../dom.js';
import { some, word } from '../format.js';
import { href } from '../router.js';
import { hasEnded } from './steps.js';

const KINDS = { issue: 'First certificate', renewal: 'Renewal', reissue: 'New certificate for what was changed', replacement: 'Replacement' };

const STATES = { awaiting_verify: 'Waits for you to verify', awaiting_issue: 'Waits for you to issue', proving: 'Proving at edges' };

/** @param {{kind: string, standby: boolean}} change */
export function kindText(change) {
	return (KINDS[change.kind] || word(change.kind)) + (change.standby ? ', standby' : '');
}

/** @param {string} state @returns {string} */
export function stateText(state) {
	return STATES[state] || word(state);
}

/** @param {{hostnames: string[]}} change */
export function changeTitle(change) {
	return some(change.hostnames, 2) || 'Change';
}

/** What it is for: its resource, else its enrollment. @param {Object} change */
export function subjectLink(change) {
	return change.resource ? h('a', { href: href(`/resources/${change.resource}`) }, `Resource ${change.resource}`)
		: h('a', { href: href(`/enrollments/${change.enrollment}`) }, `Enrollment ${change.enrollment}`);
}

/** Above its steps, where they stand on the page of what it is for. @param {{state: string}} change */
export function changeHeading(change) {
	if (!hasEnded(change))
		return 'Its certificate is being obtained';
	return change.state === 'done' ? 'Its certificate was obtained' : 'Last attempt';
}
