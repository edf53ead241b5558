// SPDX-License-Identifier: Apache-2.0
//
// Where a person gives certificates and a private key: files dropped or chosen,
// text pasted in one field or in four parts, in any order. Text that was read
// leaves its field, so that no key stands on the screen.

import { FileError } from '../crypto/file_error.js';
import { button } from '../button.js';
import { debounce, h, icon, mount, uniqueId } from '../dom.js';
import { field } from '../field.js';
import { toast } from '../toast.js';
import { itemRow } from './item.js';
import { Reading, newItem, readItem } from './reading.js';

const OCTETS_MAX = 256 * 1024;
const TYPING_MS = 350;
const ACCEPT = '.pem,.crt,.cer,.der,.p7b,.p7c,.pfx,.p12,.key,.txt,application/x-x509-ca-cert,application/x-pkcs12,text/plain';

const ONE = [['text', 'Certificate, chain and private key']];
const FOUR = [['certificate', 'Public certificate'], ['intermediate', 'Intermediate'], ['ca_bundle', 'CA bundle'], ['private_key', 'Private key']];
const FOUR_WITHOUT_KEY = FOUR.slice(0, 3);

/* ---- files ---- */

function dropZone(input, withKey) {
	const choose = h('input.visually-hidden', { id: uniqueId('files'), type: 'file', multiple: true, accept: ACCEPT, tabindex: -1, 'aria-hidden': 'true',
		'aria-label': 'Files', on: { change: async () => {
			const files = [...choose.files];
			await input.addFiles(files);
			choose.value = '';
		} } });
	const zone = h('div.drop', icon('upload'),
		h('div', h('strong', 'Drop files here'), h('p.small.quiet', `PEM, DER, PKCS#7${withKey ? ' or PFX' : ''}: the certificate, its chain${withKey ? ' and its private key' : ''}, in one file or several`)),
		button('Choose files', { run: () => choose.click() }), choose);
	const over = is_over => event => {
		if (![...event.dataTransfer.types].includes('Files'))
			return;
		event.preventDefault();
		zone.classList.toggle('over', is_over);
	};
	zone.addEventListener('dragenter', over(true));
	zone.addEventListener('dragover', over(true));
	zone.addEventListener('dragleave', over(false));
	zone.addEventListener('drop', event => {
		over(false)(event);
		return input.addFiles([...event.dataTransfer.files]);
	});
	return zone;
}

/* ---- text ---- */

function textField(input, name, label, rows) {
	const self = field({ name, label, type: 'textarea', rows, mono: true, placeholder: '-----BEGIN …', autocomplete: 'off',
		attributes: { autocapitalize: 'off' },
		onInput: debounce(() => take(), TYPING_MS) });
	const take = async () => {
		const text = self.input.value;
		if (!/-END [^\n]*-----/.test(text))
			return;
		const problem = await input.addText(label, text);
		if (problem)
			self.setError(problem);
		else if (self.input.value === text)
			self.value = '';
	};
	self.input.addEventListener('change', () => {
		if (self.input.value.trim() && !self.input.value.includes('-END '))
			self.setError('This is not whole: copy it from "-----BEGIN" to the end of "-----END …-----".');
	});
	return self;
}

function textFields(input, withKey) {
	const box = h('div.stack');
	const show = parts => mount(box, parts.map(([name, label]) => textField(input, name, label, parts.length > 1 ? 3 : 6)));
	const name = uniqueId('parts');
	const choice = (label, parts, checked) => h('label', h('input', { type: 'radio', name, checked, on: { change: () => show(parts) } }), label);
	const one = withKey ? ONE : [['text', 'Certificate and chain']];
	const four = withKey ? FOUR : FOUR_WITHOUT_KEY;
	show(one);
	return h('div.stack-s', h('div.row.spread', h('span.small.quiet', 'or paste them as text (PEM)'),
		h('div.segmented', { role: 'radiogroup', 'aria-label': 'How to paste' }, choice('One field', one, true), choice(withKey ? 'Four parts' : 'Three parts', four, false))), box);
}

/* ---- all of it ---- */

/**
 * @param {{wrapping?: ?function(): Promise<Object>, account?: function(): string, onChange: function(Reading): void}} options
 *   wrapping: of keys; without it keys are left out; account: for the command line
 * @returns {{node: HTMLElement, reading: Reading, dropKeys: function(): void}}
 */
export function certificateInput(options) {
	const reading = new Reading();
	const list = h('ul.items', { 'aria-label': 'Given so far' });
	let may_expose = false;
	const changed = () => {
		mount(list, reading.items.map(item => itemRow(item, acts)));
		list.hidden = reading.items.length === 0;
		options.onChange(reading);
	};
	const put = (item, instead) => {
		node.dispatchEvent(new Event('input', { bubbles: true })); /* the form has something to lose */
		const at = reading.items.indexOf(instead);
		reading.items.splice(at < 0 ? reading.items.length : at, at < 0 ? 0 : 1, item);
		changed();
		toast.say(item.problem ? item.problem.message : `Read ${item.name}`);
		list.querySelector('input[type=password]')?.focus();
	};
	const acts = {
		remove: item => {
			reading.items = reading.items.filter(each => each !== item);
			changed();
		},
		unlock: async (item, password) => put(await readItem(item.name, item.locked, password, options.wrapping), item),
		expose: options.wrapping ? (item, exposed) => put({ ...item, problem: null, locked: null, exposed }, item) : null,
		mayExpose: () => may_expose,
		account: options.account || (() => ''),
	};
	const add = async (name, octets) => {
		const item = await readItem(name, octets, null, options.wrapping);
		if (item.problem?.code === 'legacy' && options.wrapping)
			may_expose = await options.wrapping().then(each => each.mayExpose, () => false);
		return item;
	};
	const input = {
		addFiles: async files => {
			for (const file of files)
				put(await fromFile(file, add));
		},
		/* What is wrong with text is told at its field, and the text stays there. */
		addText: async (label, text) => {
			const item = await add(label, new TextEncoder().encode(text));
			if (item.problem && !item.locked)
				return item.problem.detail || item.problem.message;
			put(item);
			return '';
		},
	};
	const node = h('div.stack', dropZone(input, Boolean(options.wrapping)), textFields(input, Boolean(options.wrapping)), list);
	changed();
	return {
		node, reading,
		dropKeys: () => {
			if (reading.dropKeys())
				toast('The private key was wrapped for the other network: give it again.', { kind: 'notice' });
			changed();
		},
	};
}

async function fromFile(file, add) {
	const refused = (code, text) => ({ ...newItem(file.name), problem: new FileError(code, text) });
	if (file.size > OCTETS_MAX)
		return refused('too_much', 'This is longer than any certificate with its chain (256 KiB).');
	try {
		return await add(file.name, new Uint8Array(await file.arrayBuffer()));
	} catch {
		return refused('damaged', 'The browser cannot read this file. Is it a folder, or gone?');
	}
}
