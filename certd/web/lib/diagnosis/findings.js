// SPDX-License-Identifier: Apache-2.0
//
// A diagnosis as a checklist: what was seen, why it matters, how to mend it.

import { linkButton } from '../button.js';
import { codeBlock } from '../copy.js';
import { h, icon } from '../dom.js';
import { plural, sentence, when } from '../format.js';
import { badge, note } from '../status.js';
import { table } from '../table.js';
import { countOf, edgesOf, remedyOf } from './edges.js';

const RESULTS = {
	pass: ['good', 'good', 'Passed'], fail: ['bad', 'bad', 'Failed'], warning: ['notice', 'notice_mark', 'Warning'], not_applicable: ['apart', 'none', 'Not applicable'],
};

/* ---- one finding ---- */

function edgeState(edge) {
	if (edge.quarantined)
		return badge('bad', 'Quarantined');
	if (edge.held)
		return badge('bad', 'Held back');
	if (edge.other)
		return badge('bad', 'Serves another certificate');
	if (edge.problem)
		return badge('bad', 'Trouble');
	if (edge.applied < edge.version)
		return badge('notice', 'Behind', 'waiting');
	return edge.served < edge.version ? badge('notice', 'Not seen yet', 'waiting') : badge('good', 'Serves what is bound');
}

const versionCell = (edge, version) => h('span', String(version || '–'), version < edge.version ? h('span.under', `of ${edge.version}`) : null);

function edgesTable(edges) {
	return table({ caption: 'What each edge serves', rows: edges, columns: [
		{ label: 'Edge', class: 'main', cell: edge => h('strong', edge.name) },
		{ label: 'Serves', cell: edge => [edgeState(edge), edge.other ? h('span.under', 'Seen: ', h('code', `${edge.other}…`)) : null, edge.problem ? h('span.under', edge.problem) : null] },
		{ label: 'Has version', class: 'fit', cell: edge => versionCell(edge, edge.applied) },
		{ label: 'Seen serving', class: 'fit', cell: edge => versionCell(edge, edge.served) },
		{ label: 'Heard of', class: 'fit', cell: edge => edge.heard === 'never' ? 'never' : `${edge.heard} ago` },
	] });
}

function detailOf(finding, facts) {
	if (!finding.detail)
		return null;
	const edges = finding.check === 'edges' ? edgesOf(finding.detail) : null;
	if (edges) {
		return h('div.stack-s', facts.changed_s ? h('p.small.quiet', 'The resource was changed last ', when(facts.changed_s, 'relative'), ' (', when(facts.changed_s), '), which is version ', String(facts.version), '.') : null,
			h('div.boxed', edgesTable(edges)));
	}
	const is_dns = finding.check === 'dns' || finding.detail.startsWith(';;');
	return h('details.more', { open: is_dns && (finding.result === 'fail' || finding.result === 'warning') }, h('summary', icon('right'), is_dns ? 'Answers, as dig shows them' : 'Details'),
		h('div', codeBlock(finding.detail.trimEnd(), { label: `${is_dns ? 'Answers' : 'Details'}${finding.hostname ? ` of ${finding.hostname}` : ''}` })));
}

function mendOf(finding, facts) {
	if (!finding.why && !finding.remedy)
		return null;
	const remedy = remedyOf(finding.remedy);
	const creates = finding.check === 'resource' && finding.result === 'fail' && !facts.resource && facts.mayChange;
	return h('div.mend', finding.why ? h('div', h('strong', 'Why it matters: '), sentence(finding.why)) : null,
		finding.remedy ? h('div', h('strong', 'To mend it: '), remedy.text, remedy.line ? ':' : null) : null,
		remedy.line ? codeBlock(remedy.line, { label: `To copy${finding.hostname ? `, for ${finding.hostname}` : ''}` }) : null, remedy.tail ? h('div', remedy.tail) : null,
		creates ? h('div.actions', linkButton('Create a resource', '/resources/new', { icon: 'plus', small: true })) : null);
}

function findingOf(finding, facts) {
	const [kind, symbol, said] = RESULTS[finding.result] || RESULTS.not_applicable;
	return h('li', { class: kind }, icon(symbol), h('div.body',
		h('div.head', h('h3', finding.title), finding.hostname && facts.several ? h('code', finding.hostname) : null, h('span.result', said)),
		finding.seen ? h('div.seen', sentence(finding.seen)) : null, mendOf(finding, facts), detailOf(finding, facts)));
}

/* ---- all of them ---- */

/** Is it about more than one host name? @param {Object} diagnosis with its findings */
export function severalNames(diagnosis) {
	return new Set(diagnosis.findings.map(each => each.hostname).filter(Boolean)).size > 1;
}

/** In one line: what passed, what did not. @param {Object} diagnosis with its findings */
export function verdict(diagnosis) {
	const counts = countOf(diagnosis.findings);
	const said = [plural(counts.pass, 'check') + ' passed', counts.fail ? `${counts.fail} failed` : '', counts.warning ? plural(counts.warning, 'warning') : '', counts.not_applicable ? `${counts.not_applicable} not applicable` : ''].filter(Boolean).join(', ');
	const kind = counts.fail ? 'bad' : counts.warning ? 'notice' : 'good';
	const heading = { bad: 'Something is in the way.', notice: 'It works, with something worth knowing.', good: 'All is as it should be.' }[kind];
	const line = note(kind, heading, { text: [h('div', `${said}.`), counts.fail ? h('div', diagnosis.summary) : null] });
	line.removeAttribute('role');
	return line;
}

/**
 * @param {Object} diagnosis with its findings
 * @param {{resource: ?Object, mayChange: boolean}} more resource: as it is now, for what edges are compared with
 */
export function checklist(diagnosis, more) {
	const facts = { several: severalNames(diagnosis), resource: diagnosis.resource, mayChange: more.mayChange, changed_s: more.resource?.changed_s, version: more.resource?.version };
	return h('ol.findings', { 'aria-label': 'Checks, in order' }, diagnosis.findings.map(each => findingOf(each, facts)));
}
