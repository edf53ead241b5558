// SPDX-License-Identifier: Apache-2.0
//
// What pages say of edges, and the acts on them.

import { codeBlock } from './copy.js';
import { confirm, dialog } from './dialog.js';
import { h } from './dom.js';
import { field } from './form.js';
import { formDialog } from './form_dialog.js';
import { number, plural } from './format.js';
import { note, progress, stateBadge } from './status.js';
import { toast } from './toast.js';

const WORDS = { held_back: 'Held back' };

/** @param {Object} edge */
export function edgeBadge(edge) {
	return stateBadge(edge.state, WORDS[edge.state]);
}

/** How far it has come with what it must serve. @param {Object} edge */
export function servedBar(edge) {
	if (!edge.sites)
		return h('span.quiet', 'No sites');
	return progress(100 * edge.served / edge.sites, { label: `${number(edge.served)} of ${plural(edge.sites, 'site')}`, text: edge.served === edge.sites ? 'served' : `${Math.floor(100 * edge.served / edge.sites)} %` });
}

/** Its lag behind certd. @param {Object} edge */
export function lagText(edge) {
	const behind = edge.current_version - edge.applied_version;
	if (edge.state === 'expected')
		return 'Not seen yet';
	if (behind === 0)
		return 'Up to date';
	return behind > 0 ? `${plural(behind, 'version')} behind` : 'Newer than this database';
}

/** Why an edge is held back, and what to do. @param {Object} ctx @param {string} [name] none: of several */
export function heldBackNote(ctx, name) {
	const who = name ? 'This edge keeps' : 'Edges keep';
	return note('bad', `${who} newer files than this database knows of.`, {
		text: h('div.stack-s',
			h('p', 'That is so after certd\'s database was restored from a backup: what was changed after the backup is served, but certd does not know of it. So that no site goes back to an old certificate by itself, such edges go on serving what they have, and take nothing new.'),
			h('p', 'Look which resources and certificates were changed since the backup, and make those changes again. Then have all edges follow this database.')),
		actions: ctx.session.isOperator ? [resyncButton(ctx)] : null,
	});
}

function resyncButton(ctx) {
	return h('button.button.small.danger', { type: 'button', on: { click: () => resync(ctx) } }, 'Have edges follow this database');
}

async function resync(ctx) {
	const done = await confirm({
		title: 'Have all edges follow this database?', danger: true, confirm: 'Resync all edges', typed: 'resync',
		text: 'Within seconds every edge serves what this database says. What was changed after the backup and not made again is lost: sites go back to the certificates of the backup, or disappear.',
		run: async () => {
			const { version } = await ctx.api.post('/edges:resync');
			toast('Edges follow this database again.', { text: `From version ${number(version)} on.` });
		},
	});
	if (done)
		await ctx.reload();
}

/** Asks for the reason, and stops the edge. @param {Object} ctx @param {Object} edge @returns {Promise<boolean>} done */
export async function quarantine(ctx, edge) {
	const length = value => new TextEncoder().encode(value).length;
	const done = await formDialog({
		title: `Quarantine ${edge.name}?`, submit: 'Quarantine', danger: true,
		items: [
			h('div.stack-s',
				h('p', 'From its next request on keyd signs nothing for it: no new TLS handshake with this edge succeeds, for none of its ', plural(edge.sites, 'site'), '. Visitors who are sent to it get a connection error, so take it out of DNS or of your load balancer first unless it is in wrong hands.'),
				h('p', 'Connections that are open stay open. Only an operator at a command line can release it.')),
			field({ name: 'reason', label: 'Reason', required: true, autocomplete: 'off', help: 'Goes into the audit ledger, for ever: "stolen from the rack", "root access by a stranger".',
				check: value => length(value) > 100 ? 'At most 100 octets.' : '' }),
			field({ name: 'name', label: `Type ${edge.name} to confirm`, required: true, mono: true, autocomplete: 'off', check: value => value === edge.name ? '' : 'This is not its name.' }),
		],
		run: values => ctx.api.post(`/edges/${encodeURIComponent(edge.name)}:quarantine`, { reason: values.reason }),
	});
	if (done)
		toast(`${edge.name} is quarantined.`, { kind: 'notice', text: 'Nothing is signed for it any more.' });
	return Boolean(done);
}

/** How to release it, and why not here. @param {string} name */
export function releaseHelp(name) {
	return h('div.stack-s',
		codeBlock(`holdfast edge release ${name}`, { label: 'On a machine with an operator\'s certificate' }),
		h('p.small.quiet', 'The console cannot do that, on purpose. certd may stop an edge, which at worst costs availability; it may not give one its rights back. Whoever breaks into certd can therefore not bring back an edge that you have shut out.'));
}

/** The same in a dialog. @param {string} name */
export function release(name) {
	dialog({ title: `Release ${name}`, wide: true, body: releaseHelp(name) });
}

/** How an edge comes to be. */
export function inviteHelp() {
	dialog({
		title: 'Add an edge', wide: true,
		body: h('div.stack',
			h('p', 'An edge is invited by an operator, and takes its identity from keyd itself. certd has no part in that, so that nobody who breaks into it can add one.'),
			codeBlock('holdfast edge invite fra-1 --group standard -o fra-1.join', { label: 'On a machine with an operator\'s certificate' }),
			h('p', 'The file holds a secret that works once. Bring it to the edge, and start edged there:'),
			codeBlock('edged join fra-1.join\nsystemctl enable --now holdfast-edged', { label: 'On the edge' }),
			h('p', 'It then appears here within seconds, gets the sites of its group, and reports what it serves.')),
	});
}
