// SPDX-License-Identifier: Apache-2.0
//
// One key: how it is kept, as the token itself reports it, who may sign with
// it, what it is used for, and its dossier.

import { copyable, codeBlock } from '../lib/copy.js';
import { h, icon } from '../lib/dom.js';
import { plural, when, word } from '../lib/format.js';
import { isExposed, keyBadge, keyTitle, originBadge, useLink } from '../lib/keys.js';
import { card, details, page } from '../lib/layout.js';
import { CONTEXTS } from '../lib/ledger.js';
import { peerName } from '../lib/ledger_entry.js';
import { href } from '../lib/router.js';
import { note } from '../lib/status.js';
import { table } from '../lib/table.js';
import { dossierCard } from './key/dossier.js';

export const title = 'Key';

/* ---- custody ---- */

const ORIGINS = {
	generated: 'It was made in the token, and has never been outside of it.',
	imported_wrapped: 'It was wrapped for the token on its sender\'s machine, and opened only inside the token. What the sender did with the key before that, nobody here knows.',
	imported_certd: 'It came to certd in the clear, which wrapped it for the token. It counts as exposed for ever: make a new key when you can.',
	unspecified: 'How it came into the token is not known.',
};

/* PKCS#11's names, what is right, and what each means when it is and is not. */
const ATTRIBUTES = [
	['sensitive', 'CKA_SENSITIVE', true, 'It cannot be read in the clear', 'It can be read in the clear'],
	['extractable', 'CKA_EXTRACTABLE', false, 'It cannot leave the token, not even wrapped', 'It can leave the token, wrapped'],
	['always_sensitive', 'CKA_ALWAYS_SENSITIVE', true, 'That was so from the beginning', 'That was not always so, as the token sees it'],
	['never_extractable', 'CKA_NEVER_EXTRACTABLE', true, 'It never could leave the token', 'It could leave a token once, or came from outside'],
	['local', 'CKA_LOCAL', true, 'It was made in the token', 'It was brought into the token'],
];

const FROM_OUTSIDE = new Set(['always_sensitive', 'never_extractable', 'local']);

/* What follows from a key having come from outside, or from being kept as a blob, is no fault of its own. */
function isExplained(key, name) {
	if (key.wrapped && (name === 'extractable' || name === 'never_extractable'))
		return true;
	return key.origin !== 'generated' && FROM_OUTSIDE.has(name);
}

function attributeRow(key, [name, pkcs11, wanted, good, bad]) {
	const value = Boolean(key.attributes[name]);
	const is_good = value === wanted;
	const kind = is_good ? 'good' : isExplained(key, name) ? 'info' : 'bad';
	return h('li', { class: kind }, icon(kind), h('span', is_good ? good : bad), h('code', `${pkcs11} ${value}`));
}

function custodyCard(key) {
	return card({ title: 'How it is kept', actions: originBadge(key) }, h('div.stack',
		isExposed(key) ? note('notice', 'This key counts as exposed.', { text: ORIGINS.imported_certd }) : h('p', ORIGINS[key.origin] || ORIGINS.unspecified),
		key.attributes ? h('div.stack-s', h('h3', 'What the token itself reports'), h('ul.attributes', ATTRIBUTES.map(each => attributeRow(key, each)))) : null,
		key.wrapped ? note('info', 'It is kept outside of the token, as a blob.', { text: 'Only this token can open it, under a key encryption key that never leaves it. Such keys can be many more than a token has room for; "extractable" is true under that one key alone.' }) : null));
}

/* ---- grants ---- */

function budgetText(budget) {
	return budget?.rate_per_s ? `${plural(budget.rate_per_s, 'signature')} a second${budget.burst ? `, ${budget.burst} at once` : ''}` : 'No limit';
}

function identityCell(grant) {
	const name = peerName(grant.identity);
	const [, edge] = /^edge\/([^@*]+)$/.exec(name) || [];
	const [, group] = /^edge\/@(.+)$/.exec(name) || [];
	return [edge ? h('a', { href: href(`/edges/${encodeURIComponent(edge)}`) }, name) : group ? h('a', { href: href(`/edges?edge_group=${encodeURIComponent(group)}`) }, `Edges of group ${group}`) : h('span', name),
		grant.key_group ? h('span.under', `By its key group ${grant.key_group}`) : null, grant.beyond_group ? h('span.under', 'Approved beyond the pool\'s groups') : null];
}

function grantsCard(ctx, key) {
	if (!ctx.session.seesAll)
		return null;
	const grants = key.grants || [];
	const head = { title: 'Who may sign with it', flush: grants.length > 0 };
	if (!grants.length)
		return card(head, h('p.quiet', 'Nobody. It signs again once somebody is granted that.'));
	return card(head, table({ caption: 'Who may sign with it', rows: grants, columns: [
		{ label: 'Who', class: 'main', cell: identityCell },
		{ label: 'For', cell: grant => h('ul.plain', grant.contexts.map(each => h('li', CONTEXTS[each] || each))) },
		{ label: 'At most', class: 'fit', cell: grant => budgetText(grant.budget) },
	] }));
}

/* ---- beside it ---- */

function pem(spki) {
	return `-----BEGIN PUBLIC KEY-----\n${spki.match(/.{1,64}/g).join('\n')}\n-----END PUBLIC KEY-----\n`;
}

function factsCard(kept) {
	const { key } = kept;
	return card({ title: 'Key' }, details([
		['Kind', word(key.algorithm)],
		['Id', copyable(kept.id, { label: 'the id', whole: true })],
		['Label', key.label ? copyable(key.label, { label: 'the label', whole: true }) : null],
		['Pool', key.pool],
		['Key group', key.group],
		['Owner', key.owner],
		['Notes', key.notes],
		['Account', kept.account],
		['In the token since', key.created_s ? when(key.created_s) : null],
		['Had it made', key.created_by ? peerName(key.created_by) : null],
		['Replaceable', key.replaceable ? 'Yes: certd may have it destroyed without approval, after its successor is in place' : null],
	]));
}

function usesCard(ctx, kept) {
	const uses = kept.uses || [];
	const path = `/audit?key_id=${kept.id}`;
	return card({ title: 'What it is used for' }, h('div.stack',
		uses.length ? h('ul.plain', uses.map(each => h('li', useLink(each)))) : h('p.quiet', 'Nothing that certd knows of.'),
		ctx.session.may('operators, auditors') ? h('ul.plain.small', h('li', h('a', { href: href(path) }, 'All that is on record of it')), h('li', h('a', { href: href(`${path}&decision=refused`) }, 'What was refused'))) : null));
}

function publicCard(key) {
	return card({ title: 'Public key' }, codeBlock(pem(key.spki), { label: 'PEM', file: 'public-key.pem', type: 'application/x-pem-file' }));
}

function says(key) {
	if (key.state === 'suspended')
		return note('notice', 'It is suspended: nobody can sign with it.', { text: ['Since ', when(key.state_s), '. An operator resumes it with ', h('code', `holdfast key resume ${key.label}`), '.'] });
	if (key.state === 'scheduled')
		return note('bad', 'It will be destroyed.', { text: ['On ', when(key.destroy_at_s), ', and cannot be brought back after that. Nobody can sign with it until then either. An operator cancels that with ', h('code', `holdfast key cancel-destruction ${key.label}`), '.'] });
	if (key.state === 'destroyed')
		return note('info', 'It was destroyed in the token.', { text: ['On ', when(key.state_s), '. Its record stays.'] });
	return key.state === 'unspecified' ? note('notice', 'keyd does not know this key.', { text: 'What stands here is what certd has. That is so after keyd was restored from an older backup; ask your operators.' }) : null;
}

export async function render(ctx) {
	const kept = await ctx.api.get(`/keys/${encodeURIComponent(ctx.params.id)}`);
	const { key } = kept;
	const name = keyTitle(kept);
	ctx.setTitle(name);
	return page({ title: name, badge: keyBadge(key), crumbs: [['Keys', '/keys']], lead: [word(key.algorithm), key.pool ? `, in ${key.pool}` : ''] },
		h('div.split', h('div.stack', says(key), custodyCard(key), grantsCard(ctx, key), ctx.session.may('operators, auditors') ? dossierCard(ctx, kept) : null, key.spki ? publicCard(key) : null),
			h('div.stack', usesCard(ctx, kept), factsCard(kept))));
}
