// SPDX-License-Identifier: Apache-2.0
//
// The ledger as a whole: its checkpoint, verified in this browser, its key, and
// whether it is the one that this browser knows.

import { button } from '../../lib/button.js';
import { codeBlock, copyable } from '../../lib/copy.js';
import { confirm } from '../../lib/dialog.js';
import { h, icon } from '../../lib/dom.js';
import { number, plural, when } from '../../lib/format.js';
import { card, details } from '../../lib/layout.js';
import { forgetLedger, markCompared } from '../../lib/ledger_memory.js';
import { badge, note } from '../../lib/status.js';
import { toBase64 } from '../../lib/tlog.js';

const ALARMS = {
	other_key: ['This is not the ledger that this browser knows.', 'It was signed by another key when this browser saw it before, and the ledger does not tell of a change. Compare the key with what your operators published, on another way than this console, before you trust anything here.'],
	rolled_back: ['The ledger is shorter than it was.', 'This browser has seen a checkpoint with more entries. Either keyd was restored from a backup, or somebody has taken entries out. Ask your operators, and keep this browser\'s memory until you know.'],
	rewritten: ['The ledger was rewritten.', 'This browser has seen another checkpoint with as many entries: what was recorded is not what was recorded then. Ask your operators.'],
};

function alarmNote(ctx, { verdict, memory }) {
	const [head, text] = ALARMS[verdict] || [];
	if (!head)
		return verdict === 'rotated' ? note('notice', 'The ledger\'s key was changed since this browser saw it.', { text: 'The ledger itself tells of the change. "holdfast audit verify" follows the handover, which both keys signed; this page does not. Forget the old key here once you have done that.', actions: [forgetButton(ctx)] }) : null;
	return note('bad', head, { text: h('div', h('p', text), h('p.small', `Known since ${new Date(memory.since_s * 1000).toLocaleString()}: ${plural(memory.size, 'entry', 'entries')}, key ${memory.key}.`)), actions: [forgetButton(ctx)] });
}

function forgetButton(ctx) {
	return button('Forget what this browser knows', { small: true, run: async () => {
		const done = await confirm({ title: 'Forget the ledger that this browser knows?', confirm: 'Forget', danger: true, text: 'What is shown now is then taken for the true one. Do that only when you know why it changed.', run: forgetLedger });
		if (done)
			await ctx.reload();
	} });
}

function knownText(ctx, { memory }) {
	if (memory.compared_s)
		return h('span', 'Known to this browser, and compared ', when(memory.compared_s, 'relative'));
	return h('div.stack-s', h('span', 'Known to this browser since ', when(memory.since_s), '. Everything rests on it: compare it once with what ', h('code', 'holdfast audit key'), ' prints, or with what your operators published.'),
		h('div', button('It is the same', { small: true, icon: 'check', run: async () => {
			markCompared();
			await ctx.reload();
		} })));
}

function ownCheck(described, key) {
	return h('details.more', h('summary', icon('right'), 'Verify all of it without this console'), h('div.stack-s',
		h('p', 'This page checks that the checkpoint is signed, and each entry that you open. To check every entry, copy the ledger\'s folder and verify the copy, on any machine:'),
		codeBlock(`rsync -a KEYD:/var/lib/holdfast/keyd/audit/ledger/ ledger/\nholdfast audit verify ledger --key ${key}`, { label: 'Every entry' }),
		described.url ? h('p', 'The same files are served at ', copyable(described.url, { label: 'the address' }), ', for tools of others (C2SP tlog-tiles).') : null));
}

/** @param {Object} ctx the page's context @param {{described: Object, result?: Object, problem?: {code: string, message: string}}} data */
export function ledgerCard(ctx, { described, result, problem }) {
	const key = described.keys.at(-1);
	const rows = [
		['Entries', h('span.num', number(result?.checkpoint.size ?? described.size))],
		['Origin', described.origin],
		result ? ['Root', copyable(toBase64(result.checkpoint.root), { label: 'the root hash', short: 20 })] : null,
		result?.checkpoint.others ? ['Cosigned', plural(result.checkpoint.others, 'witness', 'witnesses')] : null,
		['Key', copyable(key.verifier_key, { label: 'the ledger\'s key', whole: true })],
		result ? ['Trust', knownText(ctx, result)] : null,
	];
	const sign = result ? badge('good', 'Checkpoint verified in this browser', 'shield') : badge(problem.code === 'unsupported' ? 'notice' : 'bad', 'Checkpoint not verified');
	return card({ title: 'Ledger', actions: sign }, h('div.stack',
		problem ? note(problem.code === 'unsupported' ? 'notice' : 'bad', problem.code === 'unsupported' ? 'The checkpoint was not verified.' : 'The checkpoint does not hold.', { text: problem.message }) : null,
		result ? alarmNote(ctx, result) : null,
		described.trouble ? note('notice', 'Checkpoints wait.', { text: described.trouble }) : null,
		details(rows), ownCheck(described, key.verifier_key)));
}
