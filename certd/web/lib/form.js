// SPDX-License-Identifier: Apache-2.0
//
// Forms: checked before they are sent, errors of certd beside the field that
// they are about, a busy button meanwhile, and a question before unsaved words
// are lost.

import { busy, linkButton } from './button.js';
import { confirm } from './dialog.js';
import { append, h, icon, mount } from './dom.js';
import { problemNote } from './layout.js';
import { setGuard } from './router.js';

export { field } from './field.js';

/* "parts.certificate: must be a text": the place of an error of form. */
const PLACE = /^([a-z_]+)(?:[.[][a-z_.\][0-9]*)?: (.+)$/s;

function isField(item) {
	return Boolean(item && item.node instanceof Node && typeof item.validate === 'function');
}

function fieldsIn(items) {
	return items.flat(Infinity).flatMap(item => isField(item) ? [item] : item?.fields || []);
}

/** Nodes and fields under a heading of their own. @param {string} title @param {*} help @param {...*} items */
export function group(title, help, ...items) {
	return { node: append(h('fieldset.stack', h('legend.visually-hidden', title), h('div', h('h2', { 'aria-hidden': 'true' }, title),
		help ? h('p.quiet', help) : null)), items), fields: fieldsIn(items) };
}

/** What is less often needed, folded. @param {string} title @param {...*} items */
export function more(title, ...items) {
	return { node: h('details.more', h('summary', icon('right'), title), append(h('div.stack'), items)), fields: fieldsIn(items) };
}

/**
 * @param {Object} ctx the page's context; null in a dialog
 * @param {{items: *[], submit: string, onSubmit: function(Object<string,*>, Object): Promise<*>, cancel?: (string|Function),
 *   submitIcon?: string, danger?: boolean, wide?: boolean, guard?: boolean, extra?: Node[]}} options
 *   items: fields, groups, nodes; onSubmit(values): values by the fields' names, what it throws is shown; cancel: a path or a
 *   function; guard: false: unsaved words may be lost without a question
 * @returns {{node: HTMLFormElement, fields: Object<string, Field>, submit: function(): void, clean: function(): void}}
 */
export function form(ctx, options) {
	const list = fieldsIn(options.items);
	const trouble = h('div.trouble', { 'aria-live': 'assertive' });
	const submit = h('button.button.primary', { type: 'submit', class: options.danger ? 'danger' : '' },
		options.submitIcon ? icon(options.submitIcon) : null, options.submit);
	const node = append(h('form.form', { noValidate: true, class: options.wide ? 'wide' : '' }), options.items, trouble,
		h('div.form-foot', submit, cancelOf(options.cancel), options.extra));
	const guard = guardOf(ctx, options, node);
	node.addEventListener('submit', event => {
		event.preventDefault();
		busy(submit, () => send(options, list, trouble, guard));
	});
	return { node, fields: Object.fromEntries(list.map(each => [each.name, each])), submit: () => node.requestSubmit(), clean: guard.clean };
}

function cancelOf(cancel) {
	if (typeof cancel === 'string')
		return linkButton('Cancel', cancel);
	return cancel ? h('button.button', { type: 'button', on: { click: cancel } }, 'Cancel') : null;
}

async function send(options, list, trouble, guard) {
	mount(trouble);
	const wrong = list.filter(each => !each.node.closest('[hidden]') && !each.validate());
	if (wrong.length) {
		reveal(wrong[0]);
		return;
	}
	const was = guard.isDirty();
	guard.clean();
	try {
		await options.onSubmit(Object.fromEntries(list.map(each => [each.name, each.value])));
	} catch (problem) {
		if (was)
			guard.dirty();
		if (problem.name !== 'AbortError')
			tell(problem, list, trouble);
	}
}

function reveal(wrong) {
	const folded = wrong.node.closest('details');
	if (folded)
		folded.open = true;
	wrong.focus();
}

function tell(problem, list, trouble) {
	const [, place, text] = PLACE.exec(problem.detail || '') || [];
	const at = list.find(each => each.name === place);
	if (at) {
		at.setError(text[0].toUpperCase() + text.slice(1));
		reveal(at);
		return;
	}
	mount(trouble, problemNote(problem));
	trouble.scrollIntoView({ block: 'nearest' });
}

function guardOf(ctx, options, node) {
	let is_dirty = false;
	const clean = () => {
		if (is_dirty)
			setGuard(null);
		is_dirty = false;
	};
	const dirty = () => {
		if (is_dirty || !ctx || options.guard === false || ctx.signal.aborted)
			return;
		is_dirty = true;
		setGuard(async () => !node.isConnected || await confirm({
			title: 'Leave without saving?', text: 'What you entered here has not been saved, and will be lost.', confirm: 'Leave', danger: true,
		}));
	};
	node.addEventListener('input', dirty);
	return { clean, dirty, isDirty: () => is_dirty };
}
