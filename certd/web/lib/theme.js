// SPDX-License-Identifier: Apache-2.0
//
// Light, dark, or as the system has it. Kept in localStorage; ../theme.js sets
// it again before the first paint of the next visit.

const KEY = 'holdfast.theme';

/* The colour of the browser's own bar, which index.html gives for each of the system's themes. */
const BARS = [...document.querySelectorAll('meta[name="theme-color"]')].map(meta => ({ meta, own: meta.content }));

function colourBars() {
	const { backgroundColor } = getComputedStyle(document.documentElement);
	BARS.forEach(({ meta, own }) => { meta.content = theme() === 'system' ? own : backgroundColor; });
}

/** @returns {'light'|'dark'|'system'} what the person chose */
export function theme() {
	return document.documentElement.dataset.theme || 'system';
}

/** @param {'light'|'dark'|'system'} choice */
export function setTheme(choice) {
	const root = document.documentElement;
	if (choice === 'system')
		delete root.dataset.theme;
	else
		root.dataset.theme = choice;
	try {
		if (choice === 'system')
			localStorage.removeItem(KEY);
		else
			localStorage.setItem(KEY, choice);
	} catch {
		// No storage: it holds until the page is left.
	}
	colourBars();
	root.dispatchEvent(new CustomEvent('themechange'));
}

colourBars();
