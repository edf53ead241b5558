// SPDX-License-Identifier: Apache-2.0
//
// What the check "edges" tells of each edge, read from its lines (certd's
// check_edges.c). Knows no page.

const LINE = /^([^:\s]+): heard of (never|(.+?) ago), applied (\d+), seen serving (\d+), of (\d+)(.*)$/;
const OTHER = /^serves a certificate that is not bound, ([0-9a-f]+)(?:\.\.\.|…)/;

/**
 * @typedef {{name: string, heard: string, applied: number, served: number, version: number, quarantined: boolean, held: boolean,
 *   other: string, problem: string}} SeenEdge heard: 'never' or an age; other: what it serves that is not bound, or ''
 */

/** @param {string} line @returns {?SeenEdge} null: it reads otherwise */
function edgeOf(line) {
	const found = LINE.exec(line);
	if (!found)
		return null;
	const edge = { name: found[1], heard: found[3] || 'never', applied: Number(found[4]), served: Number(found[5]), version: Number(found[6]), quarantined: false, held: false, other: '', problem: '' };
	let rest = found[7].replace(/^, /, '');
	for (const [word, name] of [['quarantined', 'quarantined'], ['held back', 'held']]) {
		if (rest === word || rest.startsWith(`${word}, `)) {
			edge[name] = true;
			rest = rest.slice(word.length + 2);
		}
	}
	const other = OTHER.exec(rest);
	if (other) {
		edge.other = other[1];
		rest = rest.slice(other[0].length).replace(/^, /, '');
	}
	edge.problem = rest;
	return edge;
}

/** @param {string} detail @returns {?SeenEdge[]} null: a line reads otherwise, so that the text is shown as it is */
export function edgesOf(detail) {
	const list = detail.split('\n').filter(Boolean).map(edgeOf);
	return list.length && list.every(Boolean) ? list : null;
}

const RECORD = /^(.*):\s\s(\S+\.\s\s(?:A|AAAA|ALIAS|CAA|CNAME|TXT)\s\s.*?)(?:\s+(or .*|\(.*))?$/s;
const COMMAND = /^holdfast [a-z]+(?: [a-z]+)?(?: --?[a-z-]+| [A-Z0-9./*-]+| [a-z0-9*-]+\.[a-z0-9.-]+)*$/;

/**
 * What a remedy says: words, and the very line to take elsewhere.
 * @param {string} remedy 'put into the DNS:  www.example.com.  CNAME  x.example.net.'
 * @returns {{text: string, line: string, tail: string}} line: '' when there is none
 */
export function remedyOf(remedy) {
	const found = RECORD.exec(remedy);
	if (found)
		return { text: found[1], line: found[2], tail: found[3] || '' };
	return COMMAND.test(remedy) ? { text: 'by command', line: remedy, tail: '' } : { text: remedy, line: '', tail: '' };
}

/** How many came out how. @param {{result: string}[]} findings */
export function countOf(findings) {
	const counts = { pass: 0, fail: 0, warning: 0, not_applicable: 0 };
	findings.forEach(each => { counts[each.result] = (counts[each.result] || 0) + 1; });
	return counts;
}
