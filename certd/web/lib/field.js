// SPDX-License-Identifier: Apache-2.0
//
// One field of a form: label, control, help, and the error below it.

import { h, icon, mount, uniqueId } from './dom.js';

/**
 * @typedef {Object} FieldOptions
 * @property {string} name the API's, so that its errors find the field
 * @property {string} label
 * @property {'text'|'email'|'password'|'number'|'search'|'textarea'|'lines'|'select'|'check'|'choice'|'file'} [type] lines: a
 *   textarea whose value is a list, without empty ones; choice: radio buttons with help
 * @property {*} [value] @property {*} [help] @property {boolean} [required] @property {boolean} [disabled]
 * @property {boolean} [optional] says so beside the label
 * @property {(string|[string, string]|{value: string, label: string, help?: string, disabled?: boolean})[]} [options]
 * @property {boolean} [mono] @property {string} [placeholder] @property {number} [rows] @property {string} [autocomplete]
 * @property {Object} [attributes] more of the control's own
 * @property {function(*): string} [check] a sentence when the value will not do, else ''
 * @property {function(*): void} [onInput]
 */

/**
 * @typedef {Object} Field
 * @property {HTMLElement} node @property {HTMLElement} input @property {string} name
 * @property {*} value read and written @property {function(string): void} setError '' takes it away
 * @property {function(): boolean} validate shows what is wrong
 * @property {function(): void} focus @property {function(Array): void} offer of a select: other options; the value stays where it can
 */

function optionOf(each) {
	if (typeof each === 'string')
		return { value: each, label: each };
	return Array.isArray(each) ? { value: each[0], label: each[1] } : each;
}

function attributesOf(options, ids) {
	return {
		id: ids.input, name: options.name, required: Boolean(options.required), disabled: Boolean(options.disabled),
		placeholder: options.placeholder, autocomplete: options.autocomplete, 'aria-describedby': `${ids.help} ${ids.error}`,
		spellcheck: options.mono ? false : null, ...options.attributes,
	};
}

function optionNodes(list) {
	return list.map(optionOf).map(each => h('option', { value: each.value, disabled: Boolean(each.disabled) }, each.label));
}

function controlOf(options, ids) {
	const props = attributesOf(options, ids);
	const mono = options.mono ? 'mono' : '';
	switch (options.type) {
	case 'textarea':
	case 'lines':
		return h('textarea.input', { ...props, class: mono, rows: options.rows || 4 });
	case 'select':
		return h('select.input', props, optionNodes(options.options));
	case 'check':
		return h('input', { ...props, type: 'checkbox' });
	default:
		return h('input.input', { ...props, class: mono, type: options.type || 'text' });
	}
}

function read(options, input) {
	switch (options.type) {
	case 'check': return input.checked;
	case 'number': return input.value === '' ? null : Number(input.value);
	case 'lines': return input.value.split(/[\s,]+/).filter(Boolean);
	case 'file': return input.files;
	case 'choice': return input.querySelector('input:checked')?.value ?? '';
	case 'password': return input.value;
	default: return input.value.trim();
	}
}

function write(options, input, value) {
	if (options.type === 'check')
		input.checked = Boolean(value);
	else if (options.type === 'lines')
		input.value = [value].flat().filter(Boolean).join('\n');
	else if (options.type === 'choice')
		input.querySelectorAll('input').forEach(each => { each.checked = each.value === String(value); });
	else if (options.type !== 'file')
		input.value = value ?? '';
}

function problemOf(options, input, value) {
	const empty = Array.isArray(value) ? value.length === 0 : value === '' || value === null || value === false;
	if (options.required && empty)
		return options.type === 'choice' ? 'Choose one.' : `${options.label} is needed.`;
	const native = input.validity && !input.validity.valid && !input.validity.valueMissing ? input.validationMessage : '';
	return native || (empty ? '' : options.check?.(value) || '');
}

function choiceBox(options, ids) {
	return h('div.choices', { id: ids.input, role: 'radiogroup', 'aria-labelledby': ids.label, 'aria-describedby': `${ids.help} ${ids.error}` },
		options.options.map(optionOf).map(each => h('label.choice',
			h('input', { type: 'radio', name: ids.input, value: each.value, disabled: Boolean(each.disabled || options.disabled) }),
			h('span.name', each.label), each.help ? h('span.help', each.help) : null)));
}

function frame(options, ids, input, error) {
	const help = h('div.help', { id: ids.help }, options.help);
	help.hidden = !options.help;
	const mark = options.optional ? h('span.optional', ' (optional)') : null;
	if (options.type === 'check')
		return h('div.field.check', input, h('label', { for: ids.input }, options.label), help, error);
	if (options.type === 'choice')
		return h('div.field', h('span.label', { id: ids.label }, options.label, mark), help, input, error);
	return h('div.field', h('label', { for: ids.input }, options.label, mark), input, help, error);
}

/** @param {FieldOptions} options @returns {Field} */
export function field(options) {
	const ids = { input: uniqueId('field'), help: uniqueId('help'), error: uniqueId('error'), label: uniqueId('label') };
	const input = options.type === 'choice' ? choiceBox(options, ids) : controlOf(options, ids);
	const error = h('div.error', { id: ids.error, 'aria-live': 'polite', hidden: true });
	const setError = text => {
		error.hidden = !text;
		mount(error, text ? [icon('bad'), h('span', text)] : null);
		if (options.type === 'choice')
			return;
		if (text)
			input.setAttribute('aria-invalid', 'true');
		else
			input.removeAttribute('aria-invalid');
	};
	const self = {
		node: frame(options, ids, input, error), input, name: options.name, setError,
		get value() { return read(options, input); },
		set value(value) { write(options, input, value); },
		validate() {
			const problem = problemOf(options, input, self.value);
			setError(problem);
			return !problem;
		},
		offer(list) {
			const { value } = self;
			mount(input, optionNodes(list));
			self.value = list.map(optionOf).some(each => each.value === value) ? value : optionOf(list[0]).value;
		},
		focus: () => (options.type === 'choice' ? input.querySelector('input:checked, input') : input).focus(),
	};
	if (options.value !== undefined)
		self.value = options.value;
	input.addEventListener('input', () => {
		setError('');
		options.onInput?.(self.value);
	});
	return self;
}
