// SPDX-License-Identifier: Apache-2.0

export function say(text) {
	document.title = text;
}
