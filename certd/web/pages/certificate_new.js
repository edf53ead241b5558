// SPDX-License-Identifier: Apache-2.0
//
// Add a certificate: given in whatever form people have it, looked at here and
// by certd, and added with its key, which is wrapped before it is sent.

import { chainOf, inOrder } from '../lib/certificate/chain.js';
import { certificateInput } from '../lib/certificate/input.js';
import { accountField, scopeField } from '../lib/certificate/where.js';
import { loadChoices, networkField } from '../lib/choices.js';
import { keyName } from '../lib/certificate/words.js';
import { wrappingCard, wrappingKeys } from '../lib/certificate/wrapping.js';
import { FileError } from '../lib/crypto/file_error.js';
import { fits } from '../lib/crypto/x509.js';
import { h, icon, mount } from '../lib/dom.js';
import { field, form, more } from '../lib/form.js';
import { short, when } from '../lib/format.js';
import { card, details, page, problemNote } from '../lib/layout.js';
import { note } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Add a certificate';

/* ---- what was found ---- */

function keyNote(reading, leaf) {
	if (reading.exposed)
		return note('notice', 'The private key will be sent in the clear, and counts as exposed.');
	if (!reading.key)
		return note('info', 'No private key was given.', { text: 'Give it too, unless the token has it already: that of a certificate which is renewed with the same key, or of a request.' });
	if (!fits(leaf, reading.key))
		return note('bad', 'The private key is not the one of this certificate.', { text: `The certificate is for the public key ${short(leaf.keyId)} (${keyName(leaf.kind)}); the private key is the one of ${short(reading.key.id)} (${keyName(reading.key.kind)}). Give the two that belong together.` });
	return note('good', 'The private key fits, and is wrapped for the token already.', { text: 'What will be sent can be opened by the token alone. The copy in this page has been overwritten.' });
}

function validity(leaf) {
	return h('span', when(leaf.not_before_s, 'date'), ' to ', when(leaf.not_after_s, 'date'), ' (ends ', when(leaf.not_after_s, 'relative'), ')');
}

function preview(reading) {
	const { leaf } = reading;
	if (!leaf)
		return reading.exposed || reading.key ? keyNote({ ...reading, exposed: reading.exposed, key: null }) : null;
	return [details([
		['Subject', leaf.subject],
		['Host names', leaf.hostnames.length ? h('ul.plain', leaf.hostnames.map(each => h('li', each))) : ''],
		['Issued by', leaf.issuer],
		['Valid', validity(leaf)],
		['Key', keyName(leaf.kind)],
		['Serial', h('code', leaf.serial)],
	]), chainOf(inOrder(reading.certificates, leaf)), keyNote(reading, leaf)];
}

function notesList(heading, notes) {
	return notes.length ? h('div.stack-s', h('h3', heading), h('ul.notes', notes.map(each => h('li', icon('info'), each)))) : null;
}

/* ---- what certd thinks of it ---- */

/** certd's answer to what is there now; of several questions the last one counts. */
class Verdict {
	node = h('div.stack');
	#asked = 0;

	clear() {
		this.#asked++;
		mount(this.node);
	}

	async show(ask) {
		const asked = ++this.#asked;
		mount(this.node, note('busy', 'certd looks at it …'));
		const answer = await ask().then(({ notes }) => [note('good', 'certd has looked at it, too: it can be served.'), notesList('Put right, or worth knowing', notes)],
			problem => problem.name === 'AbortError' ? null : problemNote(problem));
		if (asked === this.#asked)
			mount(this.node, answer);
	}
}

/* ---- the form ---- */

class Adding {
	constructor(ctx) {
		this.ctx = ctx;
		this.keys = wrappingKeys(ctx);
		this.verdict = new Verdict();
		this.found = h('div.stack.found', { 'aria-live': 'polite' });
		this.foundCard = card({ title: 'What was found' }, this.found);
		this.foundCard.hidden = true;
	}

	wrapping = () => this.keys(this.network.value === 'standard' ? '' : this.network.value);

	async start() {
		this.account = await accountField(this.ctx, this.ctx.query.account, () => { this.scope.again(); this.changed(); });
		this.network = networkField(await loadChoices(this.ctx), 'standard', () => { this.input.dropKeys(); this.side.again(); });
		this.scope = scopeField(this.ctx, { account: () => this.account?.value || '' });
		this.shared = !this.ctx.session.isOperator ? null : field({ name: 'shared', type: 'check', label: 'Shared: the operator\'s own, for resources of all accounts',
			help: 'For host names in the operator\'s zone only.' });
		this.name = field({ name: 'name', label: 'Name', optional: true, placeholder: 'its first host name', help: 'For people; it can be changed later.', attributes: { maxlength: 100 } });
		this.side = wrappingCard(this.ctx, this.wrapping);
		this.input = certificateInput({ wrapping: this.wrapping, account: () => this.account?.value || this.ctx.session.account, onChange: reading => this.changed(reading) });
	}

	body() {
		const shared = Boolean(this.shared?.value);
		return { account: this.account?.value || '', name: this.name.value, network: this.network.value, kind: shared ? 'shared' : 'personal',
			scope: shared ? [] : this.scope.value, ...this.input.reading.body() };
	}

	check = () => this.ctx.api.post('/certificates', { ...this.body(), validate_only: true });

	changed(reading = this.input.reading) {
		const { leaf, key } = reading;
		this.foundCard.hidden = !leaf && !reading.exposed && !key;
		mount(this.found, preview(reading), notesList('How it was read', reading.notes), this.verdict.node);
		this.verdict.clear();
		const is_ready = leaf && key && fits(leaf, key) && !reading.obstacle && (!this.account || this.account.value);
		if (is_ready)
			this.verdict.show(this.check);
	}

	/* certd looks first, so that nothing is half done. */
	async send() {
		const { obstacle } = this.input.reading;
		if (obstacle)
			throw new FileError('damaged', obstacle);
		await this.check();
		const { certificate, notes } = await this.ctx.api.post('/certificates', this.body());
		toast(`${certificate.name} was added.`, { text: notes.join(' ') });
		await this.ctx.navigate(`/certificates/${certificate.id}`);
	}

	form() {
		const folded = more('Network and kind', this.network, this.shared);
		const shown = [this.account, this.name, this.scope].filter(Boolean);
		return form(this.ctx, { wide: true, submit: 'Add certificate', submitIcon: 'plus', cancel: '/certificates', onSubmit: () => this.send(), items: [
			card({ title: 'Certificate and key' }, this.input.node), this.foundCard,
			{ node: card({ title: 'Name and use' }, h('div.stack', shown, folded)), fields: [...shown, ...folded.fields] },
		] });
	}
}

export async function render(ctx) {
	const adding = new Adding(ctx);
	await adding.start();
	return page({ title, crumbs: [['Certificates', '/certificates']], lead: 'One that you have bought or made elsewhere. It is kept until you bind it to a resource.' },
		h('div.split', adding.form(), adding.side));
}
