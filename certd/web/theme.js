// SPDX-License-Identifier: Apache-2.0
//
// The theme, set before the first paint: this one file is no module, because
// modules run too late for that. lib/theme.js switches it afterwards.

try {
	const kept = localStorage.getItem('holdfast.theme');
	if (kept === 'light' || kept === 'dark')
		document.documentElement.dataset.theme = kept;
} catch {
	// No storage: the system's theme it is.
}
