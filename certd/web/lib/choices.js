// SPDX-License-Identifier: Apache-2.0
//
// Names of certd.yaml that people choose in place of typing them: networks,
// edge groups, CAs with their profiles, DNS providers. Where there are none to
// choose from, the name is typed.

import { field } from './field.js';
import { some, word } from './format.js';

/**
 * What this session may name. @param {Object} ctx @returns {Promise<Object>} as GET /choices answers it
 */
export function loadChoices(ctx) {
	return ctx.api.get('/choices');
}

/* One that is in use stays to be chosen, whatever certd.yaml has by now. */
function withCurrent(options, value) {
	return !value || options.some(each => each[0] === value) ? options : [...options, [value, `${value} (not in certd.yaml any more)`]];
}

/**
 * A select, or where there is nothing to choose from a field to type in.
 * @param {[string, string][]} options value and label @param {[string, string]|null} first the one that leaves it to certd
 * @param {import('./field.js').FieldOptions} of
 */
export function choiceField(options, first, of) {
	if (!options.length)
		return field({ ...of, optional: Boolean(first), placeholder: first?.[1].toLowerCase() });
	return field({ ...of, type: 'select', options: [...first ? [first] : [], ...withCurrent(options, of.value)] });
}

/* ---- networks and their edge groups ---- */

/** @param {Object} choices @param {string} [value] @param {function(string): void} [onInput] @param {string} [help] */
export function networkField(choices, value = 'standard', onInput, help = 'Its edges may sign with the key, and no others. A key cannot move to another network.') {
	const options = choices.networks.map(each => [each.name, `${word(each.name)}: edges of ${some(each.edge_groups, 3)}`]);
	return choiceField(options, null, { name: 'network', label: 'Network', value, onInput, help });
}

/** @param {Object} choices @param {string} [network] of that one alone @returns {string[]} */
export function edgeGroupsOf(choices, network) {
	const networks = choices.networks.filter(each => !network || each.name === network);
	return [...new Set(networks.flatMap(each => each.edge_groups))];
}

/* Nothing is to be left to certd where there is a group already. */
function edgeGroupOptions(choices, network, value) {
	const groups = edgeGroupsOf(choices, network);
	const first = value || !groups.length ? [] : [['', `The network's first: ${groups[0]}`]];
	return [...first, ...withCurrent(groups.map(each => [each, each]), value)];
}

/** With again(network), for another one. @param {Object} choices @param {string} network @param {string} [value] */
export function edgeGroupField(choices, network, value = '') {
	const of = { name: 'edge_group', label: 'Edge group', value, help: 'The edges that serve it. They must be on its network.' };
	if (!choices.networks.length)
		return Object.assign(field({ ...of, optional: !value, placeholder: 'the network\'s first' }), { again() {} });
	const self = field({ ...of, type: 'select', options: edgeGroupOptions(choices, network, value) });
	return Object.assign(self, { again: name => self.offer(edgeGroupOptions(choices, name, value)) });
}

/* ---- CAs and profiles ---- */

const ASKED = 'The first that can be asked';

/** @param {Object} choices @param {string} value @param {function(string): void} onInput */
export function authorityField(choices, value, onInput) {
	const next = choices.authorities.find(each => each.available);
	return choiceField(choices.authorities.map(each => [each.name, each.available ? each.name : `${each.name} (cannot be asked just now)`]),
		['', next ? `${ASKED}: ${next.name} just now` : ASKED],
		{ name: 'authority', label: 'Certificate authority', value, onInput, help: 'Left to certd, it is the first that can be asked, and the next when that one fails.' });
}

/* Those of the CA; of all, where it is left to certd or the CA was not asked yet. */
function profileOptions(choices, authority) {
	const own = choices.authorities.find(each => each.name === authority);
	const known = own?.profiles_known ? own.profiles : choices.authorities.flatMap(each => each.profiles);
	return [...new Set(known)].sort().map(each => [each, each]);
}

function profileFirst(choices, authority) {
	const configured = choices.authorities.find(each => each.name === authority)?.default_profile;
	return ['', configured ? `As configured: ${configured}` : 'As configured'];
}

/** With again(authority), for another one. @param {Object} choices @param {string} authority @param {string} value */
export function profileField(choices, authority, value) {
	const of = { name: 'profile', label: 'Profile', value, help: 'Of the CA: how long a certificate lives, and what stands in it.' };
	if (!profileOptions(choices, '').length)
		return Object.assign(field({ ...of, optional: true, placeholder: 'as configured' }), { again() {} });
	const options = name => [profileFirst(choices, name), ...withCurrent(profileOptions(choices, name), value)];
	const self = field({ ...of, type: 'select', options: options(authority) });
	return Object.assign(self, { again: name => self.offer(options(name)) });
}

/* ---- DNS providers ---- */

const KINDS = { rfc2136: 'updates of a name server', acme_dns: 'acme-dns', exec: 'a program of the operator\'s' };

/** @param {Object} choices @param {string} value */
export function providerField(choices, value) {
	const options = choices.dns_providers.map(each => [each.name, `${each.name}: ${each.delegation ? `names delegated below ${each.delegation}` : KINDS[each.kind] || word(each.kind)}`]);
	const delegated = choices.dns_providers.filter(each => each.delegation);
	const how = delegated.length ? ` A name is delegated by a CNAME from _acme-challenge.NAME to a name below ${delegated.map(each => each.delegation).join(' or ')}.` : '';
	return choiceField(options, ['', 'The first whose zones hold the names'], { name: 'dns_provider', label: 'DNS provider', value, help: `Puts the TXT record in place, at each renewal, too.${how}` });
}
