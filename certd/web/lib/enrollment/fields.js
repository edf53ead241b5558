// SPDX-License-Identifier: Apache-2.0
//
// Fields of enrollments. The kind of validation says which others there are.

import { authorityField, profileField, providerField } from '../choices.js';
import { h, mount, uniqueId } from '../dom.js';
import { field } from '../field.js';
import { keyName } from '../certificate/words.js';

const VALIDATIONS = [
	{ value: 'unspecified', label: 'Automatic', help: 'http-01; for wildcards dns-01, by hand where no DNS provider serves the name.' },
	{ value: 'http_01', label: 'http-01', help: 'Edges answer the CA by themselves, once the names lead to them. Not for wildcards.' },
	{ value: 'dns_01', label: 'dns-01', help: 'A TXT record that a DNS provider of certd.yaml puts in place. For wildcards, and before the names lead here.' },
	{ value: 'dns_01_by_hand', label: 'dns-01 by hand', help: 'You put the TXT record in place, and say when it is: at each renewal, too.' },
	{ value: 'dns_persist_01', label: 'dns-persist-01', help: 'One TXT record that stays, for CAs that take it.' },
];

const ALGORITHMS = ['ec_p256', 'ec_p384', 'rsa_2048', 'rsa_3072', 'rsa_4096'];

/** Is one of them a wildcard, which http-01 cannot prove? @param {string[]} hostnames @param {string} validation */
export function wildcardProblem(hostnames, validation) {
	const wild = hostnames.find(each => each.startsWith('*.'));
	return wild && validation === 'http_01' ? `http-01 cannot prove ${wild}: choose a validation by DNS, or name the host names one by one.` : '';
}

/** @param {Object} is the enrollment as it is; {}: a new one */
export function namesFields(is) {
	const hostnames = field({ name: 'hostnames', label: 'Host names', type: 'lines', mono: true, required: true, value: is.hostnames || [], rows: 4, placeholder: 'www.example.com\nexample.com',
		disabled: Boolean(is.resource), help: is.resource ? 'Those of its resource: change them there.' : 'One a line. "*.example.com" is validated by DNS.' });
	const name = field({ name: 'name', label: 'Name', optional: !is.id, required: Boolean(is.id), value: is.name || '', placeholder: 'the first host name', help: 'For people, unique in the account.', attributes: { maxlength: 100 } });
	return { hostnames, name };
}

/* Why some cannot be chosen. */
const NOT_HERE = {
	dns_01: 'No DNS provider of certd.yaml serves the account: put the record in place by hand, or ask the operator.',
	dns_persist_01: 'For operators alone: its record is for every account of certd.',
};

/* The one that there is stays, as it may. */
function validationOptions(is, choices) {
	const offered = is.id ? VALIDATIONS.filter(each => each.value !== 'unspecified' || is.validation === 'unspecified') : VALIDATIONS;
	return offered.map(each => each.value === 'unspecified' || each.value === is.validation || choices.validations.includes(each.value) ? each
		: { ...each, disabled: true, help: NOT_HERE[each.value] || 'Not offered here.' });
}

/** @param {Object} is @param {Object} choices as GET /choices has them @param {function(): string[]} hostnames */
export function validationFields(is, choices, hostnames) {
	const provider = providerField(choices, is.dns_provider || '');
	const has_providers = choices.dns_providers.length > 0 || Boolean(is.dns_provider);
	const show = value => { provider.node.hidden = !has_providers || (value !== 'dns_01' && value !== 'unspecified'); };
	const validation = field({ name: 'validation', label: 'How the names are validated', type: 'choice', required: true, value: is.validation || 'unspecified', onInput: show,
		options: validationOptions(is, choices), check: value => wildcardProblem(hostnames(), value) });
	show(validation.value);
	return { validation, provider };
}

/** The CA first. @param {Object} is @param {Object} choices as GET /choices has them */
export function authorityFields(is, choices) {
	const profile = profileField(choices, is.authority || '', is.profile || '');
	return [
		authorityField(choices, is.authority || '', name => profile.again(name)), profile,
		field({ name: 'algorithm', label: 'Kind of key', type: 'select', value: is.algorithm || 'ec_p256', options: ALGORITHMS.map(each => [each, keyName(each)]), help: 'Made in the token for each certificate anew.' }),
		field({ name: 'preferred_chain', label: 'Chain to', optional: true, value: is.preferred_chain || '', placeholder: 'as the CA chooses', help: 'Common name of the topmost issuer, where a CA offers several chains.' }),
		field({ name: 'common_name', label: 'Common name', optional: true, value: is.common_name || '', placeholder: 'none', help: 'One of the host names, for old clients that look there.' }),
	];
}

/** @param {Object} is @param {Object} choices as GET /choices has them */
export function wayFields(is, choices) {
	const has_standby = choices.standby || Boolean(is.standby);
	return [
		field({ name: 'stepwise', type: 'check', label: 'Step by step', value: is.stepwise, help: 'Each change stops before the CA looks and before it issues, and waits for your word.' }),
		field({ name: 'standby', type: 'check', label: 'Keep a standby certificate', value: is.standby, disabled: !has_standby,
			help: has_standby ? 'A second one, of another CA and with a key of its own, lies ready at the edges. Needs a resource.' : 'A second one, of another CA; certd.yaml names none for it (acme.standby).' }),
	];
}

/**
 * Who hears of its validation, as a field of form.js, named contacts: a list of ids.
 * @param {Object[]} contacts of the account @param {number[]} [value]
 */
export function contactsField(contacts, value = []) {
	const chosen = new Set(value);
	const label = uniqueId('label');
	const list = h('div.scope-list', { role: 'group', 'aria-labelledby': label });
	const draw = items => mount(list, items.length ? items.map(each => {
		const id = uniqueId('contact');
		return h('div.check', h('input', { id, type: 'checkbox', checked: chosen.has(each.id), on: { change: event => chosen[event.target.checked ? 'add' : 'delete'](each.id) } }),
			h('label', { for: id }, each.name, ' ', h('span.small.quiet', each.email)));
	}) : h('p.small.quiet', 'The account has no contacts: its administrators and engineers are told.'));
	draw(contacts);
	return {
		name: 'contacts', input: list, node: h('div.field', h('span.label', { id: label }, 'Who is told of its validation'), list),
		get value() { return [...chosen]; }, setError() {}, validate: () => true, focus: () => list.querySelector('input')?.focus(),
		offer(items) {
			chosen.clear();
			draw(items);
		},
	};
}

/** What of the form is other than before, as PATCH takes it. @param {Object} is @param {Object} values */
export function changesOf(is, values) {
	return Object.fromEntries(Object.entries(values).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(is[name])));
}

/** Do these bring another certificate? @param {Object} changes as changesOf() answers them */
export function bringsCertificate(changes) {
	return ['hostnames', 'algorithm', 'validation'].some(each => each in changes);
}
