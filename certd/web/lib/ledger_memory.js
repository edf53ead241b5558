// SPDX-License-Identifier: Apache-2.0
//
// What this browser remembers of the ledger, so that another key, a rolled-back
// ledger or a rewritten one is noticed the next time, whoever made it. It
// remembers what it saw first: whether that was the true key, people compare.

const NAME = 'holdfast.ledger';

/** @typedef {{origin: string, key: string, size: number, root: string, since_s: number, compared_s: number}} Memory root in hex */

/** @returns {?Memory} */
export function recall() {
	try {
		return JSON.parse(localStorage.getItem(NAME));
	} catch {
		return null;
	}
}

function keep(memory) {
	try {
		localStorage.setItem(NAME, JSON.stringify(memory));
	} catch {
		/* A browser that keeps nothing notices nothing later. */
	}
}

/**
 * How a checkpoint that holds fits what is remembered.
 * @param {?Memory} kept @param {{origin: string, size: number, root: string}} seen @param {string[]} keys of the ledger, the last one signs
 * @returns {'first'|'same'|'rotated'|'other_key'|'rolled_back'|'rewritten'}
 */
export function judge(kept, seen, keys) {
	if (!kept)
		return 'first';
	if (kept.origin !== seen.origin || !keys.includes(kept.key))
		return 'other_key';
	if (seen.size < kept.size)
		return 'rolled_back';
	if (seen.size === kept.size && seen.root !== kept.root)
		return 'rewritten';
	return kept.key === keys.at(-1) ? 'same' : 'rotated';
}

/** Judges, and remembers what is newer when all is well. @returns {{verdict: string, memory: Memory}} */
export function remember(seen, keys) {
	const kept = recall();
	const verdict = judge(kept, seen, keys);
	if (verdict !== 'first' && verdict !== 'same')
		return { verdict, memory: kept };
	const memory = { since_s: Math.floor(Date.now() / 1000), compared_s: 0, key: keys.at(-1), ...kept, origin: seen.origin, size: seen.size, root: seen.root };
	keep(memory);
	return { verdict, memory };
}

/** Somebody compared the key with what operators published. */
export function markCompared() {
	keep({ ...recall(), compared_s: Math.floor(Date.now() / 1000) });
}

/** Begins anew, after somebody looked into it. */
export function forgetLedger() {
	try {
		localStorage.removeItem(NAME);
	} catch {
		/* Nothing was kept. */
	}
}
