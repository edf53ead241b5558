// SPDX-License-Identifier: Apache-2.0
//
// A button with a list of acts below it. Made of a native popover: Escape and
// a click elsewhere close it, and the focus goes back to its button.

import { busy } from './button.js';
import { h, icon, uniqueId } from './dom.js';

const GAP = 4;

function place(menu, button) {
	const at = button.getBoundingClientRect();
	const width = menu.offsetWidth;
	const height = menu.offsetHeight;
	const below = at.bottom + GAP + height <= innerHeight || at.top < height;
	menu.style.setProperty('left', `${Math.max(GAP, Math.min(at.right - width, innerWidth - width - GAP))}px`);
	menu.style.setProperty('top', `${below ? at.bottom + GAP : at.top - GAP - height}px`);
}

function onKey(event, menu) {
	const items = [...menu.querySelectorAll('.item')];
	const at = items.indexOf(document.activeElement);
	const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
	if (to === undefined)
		return;
	event.preventDefault();
	items.at(to % items.length)?.focus();
}

function itemOf(item, menu) {
	if (!item)
		return null;
	if (item instanceof Node)
		return item;
	if (item === '-')
		return h('hr');
	const inside = [item.icon ? icon(item.icon) : null, item.label];
	const close = () => menu.hidePopover();
	if (item.href)
		return h('a.item', { href: item.href, on: { click: close } }, inside);
	return h('button.item', { type: 'button', class: item.danger ? 'danger' : '', disabled: Boolean(item.disabled),
		on: { click: event => { close(); busy(event.currentTarget, item.run); } } }, inside);
}

/**
 * @param {HTMLButtonElement} button @param {(('-')|Node|{label: string, icon?: string, href?: string, run?: Function,
 *   danger?: boolean, disabled?: boolean}|null)[]} items '-' is a line; href as href() makes it
 * @returns {{node: HTMLElement}} button and menu
 */
export function menu(button, items) {
	const id = uniqueId('menu');
	const list = h('div.menu', { id, popover: 'auto', on: { keydown: event => onKey(event, list) } });
	list.append(...items.map(item => itemOf(item, list)).filter(Boolean));
	button.setAttribute('popovertarget', id);
	button.setAttribute('aria-haspopup', 'true');
	list.addEventListener('toggle', event => {
		if (event.newState !== 'open')
			return;
		place(list, button);
		list.querySelector('.item')?.focus({ preventScroll: true });
	});
	return { node: h('span.menu-box', button, list) };
}

/** The button with three dots. @param {string} label "Acts on shop.example.com" @param {Object[]} items as menu() */
export function moreMenu(label, items) {
	return menu(h('button.button.plain.icon-only', { type: 'button', 'aria-label': label, title: label }, icon('more')), items);
}
