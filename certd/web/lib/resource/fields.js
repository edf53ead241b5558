// SPDX-License-Identifier: Apache-2.0
//
// Fields of resources, as forms and dialogs have them.

import { field } from '../field.js';

/** @param {string} [value] */
export function nameField(value) {
	return field({ name: 'name', label: 'Name', required: true, value, placeholder: 'shop', attributes: { maxlength: 100 }, help: 'For people, unique in the account. The DNS target is made of it at first, and stays when it changes.' });
}

/** @param {string[]} [value] @param {function(string[]): void} [onInput] */
export function hostnamesField(value, onInput) {
	return field({ name: 'hostnames', label: 'Host names', type: 'lines', mono: true, rows: 4, value, optional: true, onInput,
		placeholder: 'shop.example.com\nwww.shop.example.com', help: 'One a line, at most 100. None: the target itself, a name in the operator\'s zone, for a first try.',
		check: list => list.length > 100 ? 'A resource has at most 100 host names.' : '' });
}

const ORIGIN_MODES = [['match', 'As the client came'], ['https', 'HTTPS'], ['http', 'HTTP']];

/** Host and mode. @param {?{host: string, mode: string}} origin */
export function originFields(origin) {
	return [
		field({ name: 'origin', label: 'Origin', optional: true, mono: true, value: origin?.host || '', placeholder: 'origin.example.com:8443',
			help: 'Where edges fetch the pages: a host name or an address, and a port where it is not the usual one.' }),
		field({ name: 'origin_mode', label: 'How edges come to the origin', type: 'select', value: origin?.mode && origin.mode !== 'unspecified' ? origin.mode : 'match', options: ORIGIN_MODES }),
	];
}

/** As the API takes it. @param {{origin: string, origin_mode: string}} values @returns {?{host: string, mode: string}} */
export function originOf(values) {
	return values.origin ? { host: values.origin, mode: values.origin_mode } : null;
}
