// SPDX-License-Identifier: Apache-2.0
//
// Makes elements. Text becomes text nodes and nothing here reads markup, so
// what a name or a certificate contains can never become part of the page.

import { ICONS } from './icons.js';

const SVG = 'http://www.w3.org/2000/svg';
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'selected', 'indeterminate', 'multiple', 'readOnly', 'required',
	'hidden', 'open', 'inert', 'noValidate']);
const FORBIDDEN = /^(style|on.*|innerHTML|outerHTML|srcdoc)$/i;

/**
 * An HTML element.
 * @param {string} tag 'p', or with classes 'p.quiet.small'
 * @param {Object} [props] attributes; true: without a value; false, null and undefined: not at all. Besides:
 *   on: {click: fn}, data: {kind: 'x'} (data-kind), vars: {'--part': '20%'} (CSS variables), class: string or list
 * @param {...*} children nodes, texts, numbers, lists of these, anything with .node; null, undefined, true and false are
 *   left out
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
	const [name, ...classes] = tag.split('.');
	return fill(document.createElement(name), classes, props, children);
}

/** The same for SVG. @returns {SVGElement} */
export function svg(tag, props, ...children) {
	const [name, ...classes] = tag.split('.');
	return fill(document.createElementNS(SVG, name), classes, props, children);
}

function fill(node, classes, props, children) {
	if (props !== null && typeof props === 'object' && isProps(props))
		setProps(node, classes, props);
	else if (props !== undefined)
		children.unshift(props);
	if (classes.length)
		node.classList.add(...classes);
	append(node, children);
	return node;
}

function isProps(value) {
	return !(value instanceof Node) && !Array.isArray(value) && !(value.node instanceof Node);
}

function setProps(node, classes, props) {
	for (const [name, value] of Object.entries(props)) {
		if (value === null || value === undefined)
			continue;
		if (name === 'class')
			classes.push(...[value].flat().filter(Boolean).flatMap(each => each.split(' ')).filter(Boolean));
		else if (name === 'on')
			Object.entries(value).forEach(([event, run]) => run && node.addEventListener(event, run));
		else if (name === 'data')
			Object.assign(node.dataset, value);
		else if (name === 'vars')
			Object.entries(value).forEach(([key, each]) => node.style.setProperty(key, each));
		else if (FORBIDDEN.test(name))
			throw new TypeError(`h(): ${name} is not set here; see on, vars and the style sheets`);
		else if (PROPERTIES.has(name))
			node[name] = value;
		else if (value === true || value === false)
			setFlag(node, name, value);
		else
			node.setAttribute(name, String(value));
	}
}

/* aria-expanded="false" says something; hidden="false" does not. */
function setFlag(node, name, value) {
	if (name.startsWith('aria-') || name === 'draggable' || name === 'spellcheck')
		node.setAttribute(name, String(value));
	else
		node.toggleAttribute(name, value);
}

/** Adds children as h() takes them. @param {Element} node @param {...*} children @returns {Element} node */
export function append(node, ...children) {
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === true || child === false)
			continue;
		if (child instanceof Node)
			node.append(child);
		else if (child.node instanceof Node)
			node.append(child.node);
		else
			node.append(String(child));
	}
	return node;
}

/** Puts children in the place of whatever is in node. @param {Element} node @param {...*} children @returns {Element} node */
export function mount(node, ...children) {
	node.replaceChildren();
	return append(node, ...children);
}

/**
 * An icon, from icons.js. Unseen by screen readers unless it has a label.
 * @param {string} name @param {{label?: string, class?: string}} [options]
 * @returns {SVGElement}
 */
export function icon(name, options = {}) {
	const d = ICONS[name];
	if (!d)
		throw new TypeError(`icon(): no icon '${name}' in lib/icons.js`);
	const hidden = options.label ? { role: 'img', 'aria-label': options.label } : { 'aria-hidden': 'true' };
	return svg('svg.icon', { viewBox: '0 0 24 24', class: options.class, ...hidden }, svg('path', { d }));
}

let last_id = 0;

/** @returns {string} an id that no other element has; label for, aria-describedby ... */
export function uniqueId(prefix = 'id') {
	last_id += 1;
	return `${prefix}-${last_id}`;
}

/** Waits until calls stop coming. @param {Function} run @param {number} delay_ms @returns {Function} */
export function debounce(run, delay_ms) {
	let timer = 0;
	return (...args) => {
		clearTimeout(timer);
		timer = setTimeout(() => run(...args), delay_ms);
	};
}
