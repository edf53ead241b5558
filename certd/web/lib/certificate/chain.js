// SPDX-License-Identifier: Apache-2.0
//
// A certificate and those above it, drawn from the leaf to the root.

import { readPem } from '../crypto/pem.js';
import { readCertificate } from '../crypto/x509.js';
import { h, icon } from '../dom.js';
import { date, now } from '../format.js';
import { badge } from '../status.js';
import { keyName } from './words.js';

/** @param {string} pem as certd has it, leaf first @returns {import('../crypto/x509.js').Certificate[]} */
export function readChain(pem) {
	return readPem(new TextEncoder().encode(pem)).blocks.filter(each => each.label === 'CERTIFICATE').map(each => readCertificate(each.der));
}

function validity(certificate) {
	const left_s = certificate.not_after_s - now();
	const text = `until ${date(certificate.not_after_s)}`;
	return left_s < 0 ? badge('bad', `expired ${date(certificate.not_after_s)}`, 'expired') : h('span.quiet', text);
}

function link(certificate, role) {
	return h('li', icon(role === 'leaf' ? 'certificate' : 'authority'),
		h('div', h('div.head', h('strong', certificate.subject), badge('neutral', { leaf: 'leaf', ca: 'intermediate' }[role], false)),
			h('div.small.quiet', keyName(certificate.kind), ' · ', validity(certificate))));
}

/* Roots are not sent; whether the last issuer is one, clients know. */
function lastIssuer(certificate) {
	return h('li.root', icon('authority'), h('div', h('div.head', h('strong', { title: certificate.issuer }, certificate.issuedBy), badge('neutral', 'issuer', false)),
		h('div.small.quiet', 'is not sent: clients must have it, as a root')));
}

/**
 * @param {import('../crypto/x509.js').Certificate[]} chain leaf first
 * @returns {HTMLElement}
 */
export function chainOf(chain) {
	const last = chain.at(-1);
	return h('ol.chain', chain.map((each, i) => link(each, i ? 'ca' : 'leaf')), last && !last.isSelfIssued ? lastIssuer(last) : null);
}

/**
 * Of certificates in any order, the leaf and those that lead up from it by their names; certd looks at signatures.
 * @param {import('../crypto/x509.js').Certificate[]} certificates @param {import('../crypto/x509.js').Certificate} leaf
 */
export function inOrder(certificates, leaf) {
	const chain = [leaf];
	const left = new Set(certificates.filter(each => each !== leaf && !each.isSelfIssued));
	for (let next = above(leaf, left); next; next = above(next, left)) {
		left.delete(next);
		chain.push(next);
	}
	return chain;
}

function above(certificate, left) {
	return [...left].find(each => each.name === certificate.issuer);
}
