// SPDX-License-Identifier: Apache-2.0
//
// The proof of one entry, as it is verified: leaf, path, root, checkpoint, key.

import { button } from '../../lib/button.js';
import { codeBlock, copyable, save } from '../../lib/copy.js';
import { h, icon, mount } from '../../lib/dom.js';
import { bytes, number, plural, when } from '../../lib/format.js';
import { card } from '../../lib/layout.js';
import { remember } from '../../lib/ledger_memory.js';
import { badge, note, steps } from '../../lib/status.js';
import { toBase64, toHex, verifyStepwise } from '../../lib/tlog.js';

const STEPS = [
	['leaf', 'Hash the entry'],
	['path', 'Climb to the root'],
	['checkpoint', 'Check the signature'],
	['key', 'Is it the ledger\'s key?'],
];

const short = hash => copyable(toBase64(hash), { label: 'the hash', short: 20 });

const TEXT = {
	leaf: ({ hash, octets }) => [h('p', `SHA-256 over 0x00 and the ${bytes(octets)} of the entry.`), short(hash)],
	path: ({ steps: list, size }) => [
		h('p', list.length ? `${plural(list.length, 'hash', 'hashes')} beside the way lead from the leaf to the root of a tree with ${plural(size, 'entry', 'entries')}.` : 'It is the only entry: the leaf is the root.'),
		h('details.more', h('summary', icon('right'), 'Show the path'), h('ol.climb', list.map(each => h('li',
			h('span.quiet', each.side === 'left' ? 'from the left' : 'from the right'), short(each.with), h('span.quiet', 'gives'), short(each.hash)))))],
	root: ({ root }) => [h('p', 'That is the root that the checkpoint names:'), short(root)],
	checkpoint: ({ note: text }) => [codeBlock(text, { label: 'Checkpoint, a signed note' })],
};

function keyText(ledger, memory) {
	const key = ledger.keys.at(-1);
	return [h('p', 'Ed25519, by this key. ', memory.compared_s ? ['You compared it ', when(memory.compared_s, 'relative'), '.'] : ['This browser knows it since ', when(memory.since_s), '; whether it is the true one, compare with ', h('code', 'holdfast audit key'), '.']),
		copyable(key.verifier_key, { label: 'the ledger\'s key', whole: true })];
}

/* What is done so far; the first that is not, is under way or has failed. */
function drawn(done, state, why) {
	return steps(STEPS.map(([name, title], i) => {
		const at = done.filter(each => each.name === name || (name === 'path' && each.name === 'root'));
		const is_done = name === 'path' ? at.some(each => each.name === 'root') : at.length > 0;
		const is_next = !is_done && (i === 0 || isDone(done, STEPS[i - 1][0]));
		return { title, state: is_done ? 'good' : is_next ? state : 'waiting',
			text: at.length || is_next && why ? [at.map(each => each.text || TEXT[each.name](each.data)), is_next && why ? h('p', why) : null] : null };
	}));
}

function isDone(done, name) {
	return done.some(each => each.name === (name === 'path' ? 'root' : name));
}

async function verify(given, view) {
	const done = [];
	const show = (state, why) => mount(view.list, drawn(done, state, why));
	show('busy');
	try {
		const checkpoint = await verifyStepwise({ proof: given.proof, entry: given.octets, number: given.number, verifier_key: given.ledger.keys.at(-1).verifier_key },
			step => {
				done.push(step);
				show('busy');
			});
		const seen = { origin: checkpoint.origin, size: checkpoint.size, root: toHex(checkpoint.root) };
		const { verdict, memory } = remember(seen, given.ledger.keys.map(each => each.verifier_key));
		if (verdict !== 'first' && verdict !== 'same') {
			show('notice', 'It is not what this browser knows of the ledger: the ledger\'s own page says more.');
			mount(view.verdict, badge('notice', 'Signed, by a key to look into'));
			return;
		}
		done.push({ name: 'key', text: keyText(given.ledger, memory) });
		show('good');
		mount(view.verdict, badge('good', 'Verified in this browser', 'shield'));
	} catch (problem) {
		if (problem.name !== 'ProofError')
			throw problem;
		const is_bad = problem.code !== 'unsupported';
		show(is_bad ? 'bad' : 'notice', problem.message);
		mount(view.verdict, is_bad ? badge('bad', 'It does not hold') : badge('notice', 'Not verified'));
		if (is_bad)
			mount(view.said, note('bad', 'This entry is not proven.', { text: 'What stands here is not what keyd signed. Do not rely on it, keep both files, and ask your operators.' }));
	}
}

/** @param {{number: number, octets: Uint8Array, proof: Uint8Array, ledger: Object}} given */
export function proofCard(given) {
	const name = `entry-${given.number}.proof`;
	const view = { list: h('div', { 'aria-live': 'polite' }), verdict: h('span', badge('busy', 'Verifying')), said: h('div.said-box') };
	verify(given, view);
	return card({ title: 'Proof', actions: view.verdict }, h('div.stack', view.said, view.list,
		h('details.more', h('summary', icon('right'), 'Verify it without this console'), h('div.stack-s',
			h('p', 'Both files together convince anybody who has the ledger\'s key, on any machine and without network.'),
			h('div.actions', button('Proof', { icon: 'download', small: true, run: () => save(given.proof, name, 'text/plain') }),
				button('Entry', { icon: 'download', small: true, run: () => save(given.octets, `${name}.entry`) })),
			codeBlock(`holdfast audit verify --proof ${name} --entry ${name}.entry \\\n    --key ${given.ledger.keys.at(-1).verifier_key}`, { label: `Entry ${number(given.number)}` })))));
}
