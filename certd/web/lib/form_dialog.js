// SPDX-License-Identifier: Apache-2.0
//
// A short form in a dialog: something is added or changed without leaving the
// list.

import { dialog } from './dialog.js';
import { form } from './form.js';

/**
 * @param {{title: string, items: *[], submit: string, run: function(Object): Promise<*>, danger?: boolean}} options run(values):
 *   what it throws is shown in the form
 * @returns {Promise<*>} what run() answered; undefined when the dialog was closed
 */
export function formDialog(options) {
	const box = dialog({
		title: options.title,
		body: close => form(null, {
			items: options.items.filter(Boolean), submit: options.submit, danger: options.danger, cancel: () => close(),
			onSubmit: async values => close(await options.run(values) ?? true),
		}).node,
	});
	return box.closed;
}
