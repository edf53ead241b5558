// SPDX-License-Identifier: Apache-2.0
//
// Dialogs, on the native <dialog>: it keeps the focus inside, closes with
// Escape, and gives the focus back.

import { button } from './button.js';
import { h, icon, mount, uniqueId } from './dom.js';
import { problemNote } from './layout.js';

/**
 * @param {{title: string, body: *, actions?: Node[], wide?: boolean, onClose?: Function}} options body may be a function of
 *   close(result)
 * @returns {{node: HTMLDialogElement, close: function(*=): void, closed: Promise<*>}} closed: what close() was given
 */
export function dialog(options) {
	const title_id = uniqueId('dialog');
	let settle;
	let result;
	const closed = new Promise(resolve => { settle = resolve; });
	const close = value => {
		result = value;
		node.close();
	};
	const node = h('dialog.dialog', { class: options.wide ? 'wide' : '', 'aria-labelledby': title_id },
		h('div.dialog-head', h('h2', { id: title_id }, options.title),
			h('button.button.plain.small.icon-only', { type: 'button', 'aria-label': 'Close', on: { click: () => close() } }, icon('close'))),
		h('div.dialog-body', typeof options.body === 'function' ? options.body(close) : options.body),
		options.actions ? h('div.dialog-foot', options.actions) : null);
	node.addEventListener('close', () => {
		node.remove();
		options.onClose?.(result);
		settle(result);
	});
	document.body.append(node);
	node.showModal();
	return { node, close, closed };
}

/**
 * Asks before something that cannot be taken back. What run() throws is shown inside, and the person may try again.
 * @param {{title: string, text: *, confirm: string, run?: function(): Promise<*>, danger?: boolean, typed?: string}} options
 *   title: 'Delete shop.example.com?'; text: the consequence; confirm: the button, 'Delete certificate'; typed: must be
 *   typed first
 * @returns {Promise<boolean>} done
 */
export async function confirm(options) {
	const trouble = h('div');
	const act = button(options.confirm, {
		kind: options.danger ? ['danger', 'primary'] : 'primary', disabled: Boolean(options.typed),
		run: async () => {
			mount(trouble);
			try {
				await options.run?.();
				box.close(true);
			} catch (problem) {
				mount(trouble, problemNote(problem));
			}
		},
	});
	const cancel = button('Cancel', { run: () => box.close(false) });
	const box = dialog({
		title: options.title,
		body: [h('div', options.text), options.typed ? typedField(options.typed, act) : null, trouble],
		actions: [cancel, act],
	});
	if (!options.typed)
		(options.danger ? cancel : act).focus();
	return await box.closed === true;
}

function typedField(wanted, act) {
	const id = uniqueId('typed');
	const input = h('input.input', { id, autocomplete: 'off', spellcheck: false,
		on: { input: () => { act.disabled = input.value.trim() !== wanted; } } });
	return h('div.field', h('label', { for: id }, 'Type ', h('code', wanted), ' to confirm'), input);
}
