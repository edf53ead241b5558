// SPDX-License-Identifier: Apache-2.0
//
// A key's dossier: everything that keyd and the token know of it, in one file,
// and its signature, which is verified here before both are saved.

import { button } from '../../lib/button.js';
import { codeBlock, copyable, save } from '../../lib/copy.js';
import { h, mount } from '../../lib/dom.js';
import { bytes } from '../../lib/format.js';
import { card, problemNote } from '../../lib/layout.js';
import { note } from '../../lib/status.js';
import { fromBase64, verifyDossier } from '../../lib/tlog.js';

/* A name that is safe in a shell and on any disk. */
function fileName(kept) {
	return `${(kept.key.label || kept.id.slice(0, 16)).replace(/[^A-Za-z0-9._-]/g, '_')}.dossier.json`;
}

async function get(ctx, kept, view) {
	mount(view, note('info', 'keyd reads its whole ledger for this. It may take a minute.'));
	try {
		const [answer, ledger] = await Promise.all([ctx.api.post(`/keys/${kept.id}:dossier`, {}, { key: null }), ctx.api.get('/ledger')]);
		const files = { name: fileName(kept), dossier: fromBase64(answer.dossier), signature: fromBase64(answer.signature), key: ledger.keys.at(-1).verifier_key };
		mount(view, await verdictOf(files), filesOf(files));
	} catch (problem) {
		if (problem.name === 'AbortError')
			return;
		mount(view, problemNote(problem));
	}
}

async function verdictOf({ dossier, signature, key }) {
	try {
		await verifyDossier(dossier, signature, key);
		return note('good', 'Its signature is the ledger key\'s; verified in this browser.');
	} catch (problem) {
		if (problem.name !== 'ProofError')
			throw problem;
		return problem.code === 'unsupported' ? note('notice', problem.message)
			: note('bad', 'Its signature does not hold.', { text: `${problem.message} Do not rely on it, and ask your operators.` });
	}
}

function filesOf({ name, dossier, signature, key }) {
	return h('div.stack-s',
		h('div.actions', button(`${name}, ${bytes(dossier.length)}`, { icon: 'download', run: () => save(dossier, name, 'application/json') }),
			button(`${name}.sig`, { icon: 'download', run: () => save(signature, `${name}.sig`, 'text/plain') })),
		h('p.small.quiet', 'With both files beside each other, on any machine and without network:'),
		codeBlock(`holdfast audit verify --dossier ${name} \\\n    --key ${key}`, { label: 'Verify it' }),
		h('p.small.quiet', 'That also checks its checkpoint, and the proof of each custody act. Compare the key with what your operators published: ', copyable(key, { label: 'the ledger\'s key', short: 40 })));
}

/** @param {Object} ctx the page's context @param {Object} kept the key */
export function dossierCard(ctx, kept) {
	const view = h('div.stack.said-box', { 'aria-live': 'polite' });
	const act = button('Have it made', { icon: 'file', run: () => get(ctx, kept, view) });
	return card({ title: 'Dossier', actions: act }, h('div.stack',
		h('p', 'Everything that keyd and the token know of this key, in one signed file: birth, attributes then and now, who may use it and who approved that, who used it for what, and each custody act with its proof. For auditors, and for whoever must be convinced.'), view));
}
