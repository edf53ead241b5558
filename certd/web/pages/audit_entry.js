// SPDX-License-Identifier: Apache-2.0
//
// One entry of the ledger: all that is on record, and the proof that it is,
// verified here step by step.

import { linkButton } from '../lib/button.js';
import { copyable } from '../lib/copy.js';
import { h } from '../lib/dom.js';
import { microseconds, number } from '../lib/format.js';
import { card, details, page } from '../lib/layout.js';
import { CONTEXTS, entryTime, outcomeBadge, whatText } from '../lib/ledger.js';
import { codeName, peerName, readEntry, schemeName } from '../lib/ledger_entry.js';
import { href } from '../lib/router.js';
import { note } from '../lib/status.js';
import { fromBase64 } from '../lib/tlog.js';
import { proofCard } from './audit/proof_card.js';

export const title = 'Ledger entry';

const STAGES = { asked: 'Asked: about to be done', done: 'Done', failed: 'Refused or failed' };

function whoLink(entry) {
	const name = peerName(entry.peer);
	return h('span.stack-s', h('a', { href: href(`/audit?identity=${encodeURIComponent(name)}`) }, name), name === entry.peer ? null : h('span.small.quiet', entry.peer));
}

function factsCard(entry) {
	const is_sign = entry.kind === 'sign';
	return card({ title: 'On record' }, h('div.stack',
		entry.code ? note('bad', is_sign ? 'It was refused.' : 'It failed.', { text: entry.reason || codeName(entry.code) }) : null,
		details([
			['When', h('span.stack-s', entryTime(entry, true), h('span.small.quiet.num', `${entry.time_ns} ns since 1970, by keyd's clock`))],
			['Who asked', whoLink(entry)],
			['For whom', entry.on_behalf_of ? h('span.stack-s', entry.on_behalf_of, h('span.small.quiet', 'by certd\'s word')) : null],
			['Act', entry.act ? h('code', entry.act) : null],
			['Stage', is_sign ? null : STAGES[entry.stage] || entry.stage],
			['Purpose', is_sign ? h('span', CONTEXTS[entry.context] || entry.context, ' ', h('code', entry.context)) : null],
			['Scheme', entry.scheme ? h('code', schemeName(entry.scheme)) : null],
			['Speaks for', entry.names.length ? h('ul.plain', entry.names.map(each => h('li', each))) : null],
			['Key', entry.key_id ? h('span.stack-s', copyable(entry.key_id, { label: 'the key\'s id', whole: true }), h('a.small', { href: href(`/keys/${entry.key_id}`) }, 'Show the key')) : null],
			['SHA-256 of what was signed', entry.content_hash ? copyable(entry.content_hash, { label: 'the hash', whole: true }) : null],
			['Decided', entry.latency_us ? `${codeName(entry.code)}, after ${microseconds(entry.latency_us)}` : codeName(entry.code)],
			['Ledger key', entry.ledger_key ? copyable(entry.ledger_key, { label: 'the ledger\'s key', whole: true }) : null],
			['Written by', entry.keyd],
			['Not understood', entry.unknown.length ? `Fields ${entry.unknown.join(', ')}: they are newer than this console` : null],
		]),
		h('p.small.quiet', 'Read from the very octets that the proof is about, not from what certd says of them.')));
}

export async function render(ctx) {
	const wanted = Number(ctx.params.number);
	const [proven, ledger] = await Promise.all([ctx.api.get(`/ledger/entries/${encodeURIComponent(ctx.params.number)}:prove`), ctx.api.get('/ledger')]);
	const octets = fromBase64(proven.entry);
	const entry = readEntry(octets);
	const turn = (to, label, icon) => to >= 0 && to < ledger.size ? linkButton(label, `/audit/${to}`, { icon, iconOnly: true }) : null;
	ctx.setTitle(`Entry ${wanted}`);
	return page({
		title: `Entry ${number(wanted)}`, badge: outcomeBadge(entry), crumbs: [['Audit ledger', '/audit']], lead: whatText(entry),
		actions: [turn(wanted - 1, 'Entry before', 'left'), turn(wanted + 1, 'Entry after', 'right')],
	}, h('div.halves', factsCard(entry), proofCard({ number: wanted, octets, proof: fromBase64(proven.proof), ledger })));
}
